"""A table of the report, and how its figures are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kernels.inspect.rows import Row


@dataclass(frozen=True)
class Table:
    """A heading, what it says, columns and cells; `numbers` are the columns set to the right."""

    title: str
    note: str
    columns: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    numbers: frozenset[int]


NOTHING = "-"


def architecture_name(architecture: int | str) -> str:
    """sm_90, or AMD's own name."""
    return f"sm_{architecture}" if isinstance(architecture, int) else architecture


def whole(value: int | None) -> str:
    """A count, or a dash."""
    return NOTHING if value is None else str(value)


def kib(value: int | None) -> str:
    """Bytes in KiB."""
    return NOTHING if value is None else f"{value / 1024:.0f}"


def megabytes(value: int | None) -> str:
    """Bytes in MB (10^6)."""
    return (
        NOTHING
        if value is None
        else f"{value / 1e6:,.0f}"
        if value >= 1e7
        else f"{value / 1e6:.1f}"
    )


def flops(value: int | None) -> str:
    """FLOPs in GFLOP."""
    return NOTHING if value is None else f"{value / 1e9:.1f}"


def loop(row: Row) -> str:
    """Instructions per tensor-core instruction; a star where the loop was unrolled."""
    if row.per_tensor_instruction is None:
        return NOTHING
    return f"{row.per_tensor_instruction:.2f}" + ("*" if row.loop_kind == "straight" else "")


def ratio(row: Row) -> str:
    """The loop's instructions over the baseline's."""
    return NOTHING if row.baseline_ratio is None else f"{row.baseline_ratio:.2f}"


def pair(row: Row, other: Row | None, show: Callable[[Row], str]) -> str:
    """A figure of a row, and behind a slash that of another Triton's."""
    mine = show(row)
    return mine if other is None else f"{mine} / {show(other)}"
