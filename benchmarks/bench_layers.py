"""Transposed convolutions of known networks, one by one."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.cases import Case, LayerCase


def test_layer(layer_case: LayerCase, measured: Callable[[Case], None]) -> None:
    measured(layer_case)
