"""The table's arithmetic on numbers made up for it."""

from __future__ import annotations

from benchmarks.cases import Case
from benchmarks.table import Row, render


def test_median_ratio_and_reason() -> None:
    rows = [
        Row(Case("m", "eager", 1), (2.0, 4.0, 3.0)),
        Row(Case("m", "onnxruntime", 1), (1.0, 2.0)),
        Row(Case("m", "tensorrt", 1), skipped="no GPU"),
    ]
    lines = render(rows).splitlines()[2:]
    assert rows[0].median_s == 3.0
    assert rows[1].median_s == 1.5
    assert lines[0] == "| m | 1 | eager | 21 | 16 - 32 | 1.00 |"
    assert lines[1] == "| m | 1 | onnxruntime | 43 | 32 - 64 | 2.00 |"
    assert lines[2] == "| m | 1 | tensorrt | not measured: no GPU | | |"
