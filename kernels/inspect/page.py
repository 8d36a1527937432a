"""The report as one HTML page that needs nothing else: style inside, no scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files

from kernels.inspect.bars import Chart, draw
from kernels.inspect.cells import Table


def render(
    title: str, summary: str, charts: Sequence[Chart], legend: str, tables: Iterable[Table]
) -> str:
    """The page; summary and legend (of the charts) are plain text."""
    tables = list(tables)
    style = files("kernels.inspect").joinpath("style.css").read_text(encoding="utf-8")
    links = "".join(f'<a href="#{_anchor(t)}">{escape(t.title)}</a>' for t in tables)
    figures = "".join(
        f"<figure><figcaption>{escape(chart.title)}</figcaption>{draw(chart)}</figure>"
        for chart in charts
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(title)}</h1><p>{escape(summary)}</p><nav>{links}</nav></header>\n"
        f'<main>\n<section class="bars">{figures}</section>\n<p>{escape(legend)}</p>\n'
        + "".join(map(_section, tables))
        + "</main>\n<footer>Static figures, from binaries and from counting. Nothing on this page "
        "was timed on a GPU.</footer>\n</body>\n</html>\n"
    )


def _section(table: Table) -> str:
    head = "".join(
        f"<th{_number(table, i)} scope=col>{escape(column)}</th>"
        for i, column in enumerate(table.columns)
    )
    before = None
    rows = []
    for line in table.cells:
        first = line[0] != before
        before = line[0]
        # A name is said once; the lines below it are the same thing on other machines.
        name = f"<th scope=row>{escape(line[0]) if first else ''}</th>"
        cells = "".join(_cell(table, i, text) for i, text in enumerate(line) if i)
        rows.append(f"<tr{' class=first' if first else ''}>{name}{cells}</tr>\n")
    return (
        f'<section>\n<h2 id="{_anchor(table)}">{escape(table.title)}</h2>\n'
        f"<p>{escape(table.note)}</p>\n"
        f"<div class=scroll><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n"
        f"{''.join(rows)}</tbody>\n</table></div>\n</section>\n"
    )


def _cell(table: Table, column: int, text: str) -> str:
    if table.columns[column] == "Faults" and text != "none":
        return f"<td class=fault>{escape(text)}</td>"
    return f"<td{_number(table, column)}>{escape(text)}</td>"


def _number(table: Table, column: int) -> str:
    return " class=number" if column in table.numbers else ""


def _anchor(table: Table) -> str:
    return table.title.lower().replace(" ", "-")
