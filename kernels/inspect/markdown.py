"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from kernels.inspect.cells import Table


def render(title: str, tables: Iterable[Table]) -> str:
    """A document with one section a table."""
    parts = [f"# {title}\n"]
    for table in tables:
        rule = ["---:" if i in table.numbers else "---" for i in range(len(table.columns))]
        lines = [table.columns, tuple(rule), *table.cells]
        rows = "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)
        parts.append(f"## {table.title}\n\n{table.note}\n\n{rows}\n")
    return "\n".join(parts)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
