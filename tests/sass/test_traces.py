"""Formulas of work against bytes counted access by access in the PTX simulator."""

from __future__ import annotations

import pytest

from kernels.inspect.traces import count, reduced


@pytest.mark.parametrize(
    ("name", "architecture"), [(name, each) for each in (80, 90) for name in reduced(each)]
)
def test_formula_and_trace_count_the_same(name: str, architecture: int) -> None:
    counted = count(reduced(architecture)[name], architecture)
    assert counted.traced_fill == counted.formula_fill > 0
    assert counted.traced_compulsory == counted.formula_compulsory > 0
