"""The report from outcomes: tables, charts, and the files that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from kernels.compile import ARCHITECTURES
from kernels.configurations import baselines, configurations
from kernels.conv_transpose.baseline import BASELINES
from kernels.inspect import markdown, page, tables
from kernels.inspect.bars import Bar, Chart
from kernels.inspect.catalogue import is_own
from kernels.inspect.files import write_text
from kernels.inspect.plain import NAMES, plain, plain_name
from kernels.inspect.rows import Row, Survey, make_row
from kernels.inspect.survey import Architecture, Key, Outcome
from kernels.inspect.targets import TARGETS
from kernels.inspect.traces import Count

TITLE = "Kernel report"
LEGEND = (
    "Blue: this package. Grey: zero insertion, then one kernel for each phase. Dashed: the target."
)
PAGE, DOCUMENT = "index.html", "kernels.md"


def keys_of(architectures: Sequence[Architecture], parts: Sequence[str]) -> list[Key]:
    """What to compile: names with any of the parts (all without parts), and what stands beside.

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
    beside = [name for name, each in plain().items() if name.partition(",")[0] in names]
    return [Key(name, each) for name in (*names, *beside, *baselines()) for each in architectures]


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
        tables.against_plain(survey),
        tables.work(survey),
        tables.rooflines(tables.names_of(survey.rows)),
    ]
    if counts:
        content.append(tables.traces(counts, traced))
    content.append(tables.products(survey))
    html = page.render(TITLE, summary(survey), charts(survey), LEGEND, content)
    paths = (folder / PAGE, folder / DOCUMENT)
    write_text(paths[0], html)
    write_text(paths[1], markdown.render(TITLE, content))
    return paths


def summary(survey: Survey) -> str:
    """How many binaries, and how many of them have a fault."""
    own = [row for row in survey.rows if is_own(row.name)]
    bad = sum(bool(row.faults) for row in own)
    state = "none has a fault" if not bad else f"{bad} of them with a fault"
    return (
        f"{len(own)} binaries from Triton {survey.triton}, compiled for this report without a GPU: "
        f"{state}. Registers, shared memory, instructions and accesses are read from the machine "
        "code; bytes and products are counted; times are never more than roofline estimates."
    )


def charts(survey: Survey) -> list[Chart]:
    """Fill and executed products of the DCGAN layers beside the plain ones, on one architecture."""
    numbers = [row.architecture for row in survey.rows if isinstance(row.architecture, int)]
    shown = _SHOWN if _SHOWN in numbers else max(numbers, default=0)
    rows = {row.name: row for row in survey.rows if row.architecture == shown}
    return [
        Chart(f"{title}, sm_{shown}", tuple(_bars(rows, value, target)))
        for title, value, target in (
            ("Fill of shared memory, MB", _fill, lambda name: _millions(TARGETS[name].fill_bytes)),
            (
                "Executed for each useful FLOP",
                _executed,
                lambda name: TARGETS[name].executed_per_useful,
            ),
        )
    ]


# The architecture that charts show, if it was compiled for.
_SHOWN = 90


def _bars(
    rows: Mapping[str, Row],
    value: Callable[[Row], float],
    target: Callable[[str], float | None],
) -> Iterator[Bar]:
    for name in NAMES:
        if name not in rows:
            continue
        number = value(rows[name])
        yield Bar(name, number, _short(number), target=target(name))
        for kind in BASELINES:
            other = rows.get(plain_name(name, kind))
            if other is not None:
                number = value(other)
                yield Bar("", number, _short(number), plain=True)


def _fill(row: Row) -> float:
    return (row.fill_bytes or 0) / 1e6


def _executed(row: Row) -> float:
    return (row.executed_flops or 0) / (row.useful_flops or 1)


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _millions(value: float | None) -> float | None:
    return None if value is None else value / 1e6
