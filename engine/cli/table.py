"""Aligned text for terminals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click


def print_table(rows: Iterable[Sequence[str]]) -> None:
    """Print rows of cells, each column as wide as its widest cell; the last cell is free."""
    cells = [list(row) for row in rows]
    columns = max((len(row) for row in cells), default=1) - 1
    widths = [
        max(len(row[column]) for row in cells if len(row) > column + 1) for column in range(columns)
    ]
    for row in cells:
        padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False)]
        click.echo("  ".join([*padded, row[-1]]).rstrip())
