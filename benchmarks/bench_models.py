"""Models from latents in memory to images in memory, all contestants interleaved."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.cases import Case, ModelCase


def test_model(model_case: ModelCase, measured: Callable[[Case], None]) -> None:
    measured(model_case)
