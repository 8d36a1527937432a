"""A table of images/s after pytest-benchmark's own, with the reason of each case left out."""

from __future__ import annotations

import pytest

from benchmarks.cases import Case
from benchmarks.machine import describe_machine
from benchmarks.table import Row, render

_rows: list[Row] = []


@pytest.fixture
def record() -> list[Row]:
    """Where a benchmark puts its row."""
    return _rows


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _rows:
        terminalreporter.section("images/s")
        terminalreporter.write_line(f"{describe_machine()}\n")
        terminalreporter.write_line(render(_rows))


def pytest_make_parametrize_id(val: object) -> str | None:
    return str(val) if isinstance(val, Case) else None
