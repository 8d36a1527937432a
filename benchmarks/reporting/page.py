"""The page: one HTML file with its plots inside, without scripts and without a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from benchmarks.reporting import tables, words
from benchmarks.reporting.bars import bars
from benchmarks.reporting.bundle import Bundle
from benchmarks.reporting.layer_chart import layer_chart
from benchmarks.reporting.roofline import roofline
from benchmarks.reporting.stacks import stacks
from benchmarks.reporting.tables import Table
from benchmarks.results import Case

TITLE = "Benchmarks of generator-engine"
_READING = (
    "Every figure is the median over interleaved rounds, quartiles in brackets. In a round all "
    "contestants and a matrix product run one after the other; ratios are taken round by round, so "
    "that what slows the machine slows both sides. Times of different cases, or of different days, "
    "must not be compared. Image cost is against eager PyTorch in fp32 on the same latents; KID is "
    "to the data the model was trained on."
)
_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 1200px; padding: 32px 24px 64px; background: #fff;
  color: #22303a; font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 40px 0 8px; padding-top: 12px; border-top: 1px solid #d5dade; }
h3 { font-size: 15px; margin: 24px 0 4px; }
p { max-width: 76ch; margin: 6px 0; }
p.note, li { color: #56636b; font-size: 13.5px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; font-size: 13.5px; }
dt { color: #6b7880; } dd { margin: 0; }
svg { width: 100%; height: auto; display: block; margin: 8px 0 12px; }
svg text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif !important; }
details { margin: 6px 0 12px; }
summary { cursor: pointer; color: #17608f; font-size: 13.5px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 12.5px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 3px 10px 3px 0; white-space: nowrap; }
th { white-space: normal; vertical-align: bottom; color: #6b7880; font-weight: 600;
  border-bottom: 1px solid #d5dade; }
td { border-bottom: 1px solid #eef0f2; }
td.wraps { white-space: normal; min-width: 200px; }
th.number, td.number { text-align: right; }
tr.ours td { font-weight: 600; }
"""
# Cells longer than this may break into lines.
_LONG = 48


def page(found: Sequence[Bundle]) -> str:
    """The whole page. Raises OptionError without matplotlib."""
    parts = [f"<h1>{TITLE}</h1>", f"<p>{escape(_READING)}</p>"]
    for bundle in found:
        parts += _machine(bundle)
        parts += _models(bundle.of("model"))
        parts += _roofline([*bundle.of("model"), *bundle.of("layer")])
        parts += _layers(bundle.of("layer"))
        parts += _stages(bundle.of("stage"))
        parts += _rest(bundle)
    head = (
        f'<meta charset="utf-8"><title>{TITLE}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
    )
    body = "\n".join(parts)
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _machine(bundle: Bundle) -> Iterator[str]:
    yield f"<h2>Machine: {escape(bundle.machine.cpu)}</h2>"
    entries = [
        ("machine", words.machine(bundle.machine)),
        ("system", bundle.machine.system),
        ("versions", words.versions(bundle.machine)),
        *(("run", line) for line in words.conditions(bundle)),
    ]
    rows = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in entries)
    yield f"<dl>{rows}</dl>"


def _models(cases: Sequence[Case]) -> Iterator[str]:
    if cases:
        yield "<h2>Models</h2>"
        yield (
            '<p class="note">From latents in memory to images in memory, n of them in one call; '
            "colour: ours (blue bf16, orange fp32), dark grey: the best peer.</p>"
        )
    for name, group in groupby(sorted(cases, key=lambda case: case.name), _name):
        of_model = list(group)
        yield f"<h3>{escape(name)}</h3>"
        yield f'<p class="note">{escape(of_model[0].source)}</p>'
        for output, title in (("uint8", "to uint8 images"), ("float32", "to float32")):
            shown = [case for case in of_model if case.output == output]
            if shown and output == "uint8":
                yield bars(shown)
            elif shown:
                yield f"<details><summary>Plot {title}</summary>{bars(shown)}</details>"
        yield _folded(
            "Figures, image cost, and every batch size tried", tables.contestants(of_model)
        )


def _roofline(cases: Sequence[Case]) -> Iterator[str]:
    drawn = roofline([case for case in cases if case.kind == "layer" or case.output == "uint8"])
    if drawn:
        yield "<h2>Against the machine</h2>"
        yield (
            '<p class="note">Useful operations only: taps inside the map. The roof is the matrix '
            "product that ran in the same rounds. A grey line joins ours and the best peer.</p>"
        )
        yield drawn


def _layers(cases: Sequence[Case]) -> Iterator[str]:
    if not cases:
        return
    yield "<h2>Layers</h2>"
    yield (
        '<p class="note">Transposed convolutions of known networks, in 1-D, 2-D and 3-D; '
        "sources stand in the table.</p>"
    )
    drawn = layer_chart(cases)
    if drawn:
        yield drawn
    yield _folded("Figures, errors and sources", tables.layers(cases))


def _stages(cases: Sequence[Case]) -> Iterator[str]:
    if not cases:
        return
    yield "<h2>Stages</h2>"
    yield (
        '<p class="note">Left: what an engine goes through, one stage after the other. Right: '
        "floats to uint8 (copy) and images to bytes of files (encode), each by itself.</p>"
    )
    for name, group in groupby(sorted(cases, key=_model), _model):
        drawn = stacks(list(group))
        if drawn:
            yield f"<h3>{escape(name)}</h3>{drawn}"
    yield _folded("Every stage, with yardsticks", tables.stages(cases))


def _rest(bundle: Bundle) -> Iterator[str]:
    absent = tables.not_measured(bundle)
    yield "<h2>Not measured, and why</h2>"
    yield _table(absent) if absent.rows else "<p>Nothing was left out.</p>"
    yield "<h2>Settings</h2>"
    yield _table(tables.settings(bundle))


def _folded(title: str, table: Table) -> str:
    return f"<details><summary>{escape(title)}</summary>{_table(table)}</details>"


def _table(table: Table) -> str:
    head = "".join(
        f"<th{_class(column, table)}>{escape(name)}</th>" for column, name in enumerate(table.head)
    )
    rows = "".join(
        ('<tr class="ours">' if row in table.ours else "<tr>")
        + "".join(
            f"<td{_class(column, table, cell)}>{escape(cell)}</td>"
            for column, cell in enumerate(cells)
        )
        + "</tr>\n"
        for row, cells in enumerate(table.rows)
    )
    whole = f"<table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>"
    return f'<div class="wide">{whole}</div>'


def _class(column: int, table: Table, cell: str = "") -> str:
    if column in table.numbers:
        return ' class="number"'
    return ' class="wraps"' if len(cell) > _LONG else ""


def _name(case: Case) -> str:
    return case.name


def _model(case: Case) -> str:
    """The model of a stage, whose case may name a kind of file after it."""
    return case.name.split()[0]
