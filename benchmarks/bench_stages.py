"""Stages: build, cold start, first sample, steady state, and what is around them."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.cases import Case, StageCase


def test_stage(stage_case: StageCase, measured: Callable[[Case], None]) -> None:
    measured(stage_case)
