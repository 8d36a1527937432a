"""The report from outcomes: tables, charts, and the files that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from kernels.compile import ARCHITECTURES
from kernels.configurations import baselines, configurations
from kernels.inspect import markdown, page, tables
from kernels.inspect.bars import Bar, Chart
from kernels.inspect.files import write_text
from kernels.inspect.rows import Row, Survey, make_row
from kernels.inspect.survey import Architecture, Key, Outcome
from kernels.inspect.targets import TARGETS
from kernels.inspect.traces import Count

TITLE = "GPU kernels, read"
PAGE, DOCUMENT = "index.html", "kernels.md"


def keys_of(architectures: Sequence[Architecture], parts: Sequence[str]) -> list[Key]:
    """What to compile: names that contain any of the parts (all without parts), and baselines.

    Raises ValueError for an unknown architecture, and if nothing is left.
    """
    unknown = [each for each in architectures if each not in ARCHITECTURES]
    if unknown:
        raise ValueError(
            f"architecture {unknown[0]} is not one of {', '.join(map(str, ARCHITECTURES))}"
        )
    every = {name: None for each in architectures for name in configurations(each)}
    names = [name for name in every if not parts or any(part in name for part in parts)]
    if not names:
        raise ValueError(
            f"no kernel has {' or '.join(parts)} in its name; there are: {'; '.join(every)}"
        )
    return [Key(name, each) for name in (*names, *baselines()) for each in architectures]


def make_survey(triton: str, keys: Sequence[Key], outcomes: Sequence[Outcome]) -> Survey:
    """Rows in the order of the keys, each compared with the baselines among the outcomes."""
    references = [outcome for outcome in outcomes if outcome.key.name in baselines()]
    found = {outcome.key: outcome for outcome in outcomes}
    return Survey(triton, tuple(make_row(found[key], references) for key in keys if key in found))


def write(
    folder: Path,
    survey: Survey,
    other: Survey | None,
    counts: Mapping[str, Count],
    traced: int,
) -> tuple[Path, Path]:
    """Write the page and the document; returns their paths. Raises OSError."""
    content = [
        tables.binaries(survey, other),
        tables.work(survey),
        tables.rooflines(tables.names_of(survey.rows)),
    ]
    if counts:
        content.append(tables.traces(counts, traced))
    html = page.render(TITLE, summary(survey), charts(survey), content)
    paths = (folder / PAGE, folder / DOCUMENT)
    write_text(paths[0], html)
    write_text(paths[1], markdown.render(TITLE, content))
    return paths


def summary(survey: Survey) -> str:
    """How many binaries, and how many of them have a fault."""
    own = [row for row in survey.rows if row.name not in baselines()]
    bad = sum(bool(row.faults) for row in own)
    state = "none has a fault" if not bad else f"{bad} of them with a fault"
    return (
        f"{len(own)} binaries from Triton {survey.triton}, compiled for this report without a GPU: "
        f"{state}. Registers, shared memory, instructions and accesses are read from the machine "
        "code; bytes and products are counted; times are never more than roofline estimates."
    )


def charts(survey: Survey) -> list[Chart]:
    """Fill, executed products and loop length of the DCGAN layers, on the newest architecture."""
    rows = _newest(survey)
    return [
        Chart(
            "Fill of shared memory, MB (line: target)",
            tuple(
                Bar(
                    row.name,
                    row.fill_bytes / 1e6,
                    f"{row.fill_bytes / 1e6:.0f}",
                    target=_millions(TARGETS[row.name].fill_bytes),
                )
                for row in rows
                if row.fill_bytes
            ),
        ),
        Chart(
            "Executed for each useful FLOP (line: target)",
            tuple(
                Bar(
                    row.name,
                    row.executed_flops / row.useful_flops,
                    f"{row.executed_flops / row.useful_flops:.2f}",
                    target=TARGETS[row.name].executed_per_useful,
                )
                for row in rows
                if row.executed_flops and row.useful_flops
            ),
        ),
    ]


def _newest(survey: Survey) -> list[Row]:
    numbers = [row.architecture for row in survey.rows if isinstance(row.architecture, int)]
    newest = 90 if 90 in numbers else max(numbers, default=0)
    return [row for row in survey.rows if row.architecture == newest and row.name in TARGETS]


def _millions(value: float | None) -> float | None:
    return None if value is None else value / 1e6
