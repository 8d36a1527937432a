"""Where the time goes: the life of an engine, stage on stage, and what stands around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from benchmarks.ratios import named, spread, timed
from benchmarks.reporting.figures import INK, MUTED, OURS, PEER, YARDSTICK, figure, to_svg
from benchmarks.reporting.words import duration
from benchmarks.results import Case, Contestant, Stage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# One after the other, from the model's file to the second sheet of images.
LIFE: tuple[Stage, ...] = ("build", "cold start", "first sample", "steady state")
# Each by itself, with contestants of its own.
AROUND: tuple[Stage, ...] = ("copy", "encode")
_COLOURS = {
    "build": "#c9d2d8",
    "cold start": "#8fa3b0",
    "first sample": "#4f6b7d",
    "steady state": "#17608f",
}
_ROW_IN = 0.27
_ROOM = 1.3


def stacks(cases: Sequence[Case]) -> str | None:
    """Stages of one model: stacked bars, and bars of what stands around; None without any."""
    alive = [case for stage in LIFE for case in cases if case.stage == stage]
    around = [case for stage in AROUND for case in cases if case.stage == stage]
    panels: list[tuple[int, Callable[[Axes], None]]] = []
    if alive:
        names = _names(alive)
        panels.append((len(names), partial(_life, cases=alive, names=names)))
    if around:
        rows = [(case, one) for case in around for one in _ranked(case)]
        panels.append((len(rows), partial(_around, rows=rows)))
    if not panels:
        return None
    most = max(count for count, _ in panels)
    with figure(most * _ROW_IN + 1.25, 1, len(panels)) as (drawn, axes):
        for axis, (_, draw) in zip(axes, panels, strict=True):
            draw(axis)
            axis.set_ylim(most - 0.4, -0.6)
        if alive:
            drawn.legend(loc="outside upper left", ncols=len(LIFE), handlelength=1.0)
        drawn.supxlabel(
            "time: medians over the rounds; lines: quartiles", fontsize=8.5, color=MUTED
        )
        return to_svg(drawn, f"{cases[0].name}: time of each stage")


def _names(cases: Sequence[Case]) -> list[str]:
    """Ours first, then the others in their order."""
    roles = {one.name: one.role for case in cases for one in timed(case)}
    return sorted(roles, key=lambda name: roles[name] != "ours")


def _ranked(case: Case) -> list[Contestant]:
    return sorted(timed(case), key=lambda one: spread(one.seconds).median)


def _life(axis: Axes, cases: Sequence[Case], names: Sequence[str]) -> None:
    ends = [0.0] * len(names)
    for case in cases:
        label: str | None = case.stage
        for row, name in enumerate(names):
            one = named(case, name)
            if one is None:
                continue
            seconds = spread(one.seconds).median
            colour = _COLOURS[case.stage]
            axis.barh(row, seconds, left=ends[row], height=0.64, color=colour, label=label)
            ends[row] += seconds
            label = None
    for row, end in enumerate(ends):
        _annotate(axis, row, end)
    axis.set_yticks(range(len(names)), names)
    _scale(axis, max(ends))
    axis.set_title(f"from the model's file to the second {cases[-1].batch:,} images")


def _around(axis: Axes, rows: Sequence[tuple[Case, Contestant]]) -> None:
    for row, (case, one) in enumerate(rows):
        seconds = spread(one.seconds)
        colour = {"ours": OURS[case.precision], "peer": PEER, "yardstick": YARDSTICK}[one.role]
        axis.barh(row, seconds.median, height=0.64, color=colour)
        axis.plot([seconds.low, seconds.high], [row, row], color=INK, linewidth=1.0)
        _annotate(axis, row, seconds.median, seconds.high)
    axis.set_yticks(range(len(rows)), [f"{_what(case)}: {one.name}" for case, one in rows])
    _scale(axis, max(spread(one.seconds).high for _, one in rows))
    axis.set_title(f"around the network, {rows[0][0].batch:,} images")


def _what(case: Case) -> str:
    """The stage, and the kind of file where there are several: encode jpg."""
    return " ".join([case.stage, *case.name.split()[1:]])


def _annotate(axis: Axes, row: int, seconds: float, end: float = 0.0) -> None:
    axis.annotate(
        duration(seconds),
        (max(end, seconds), row),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=MUTED,
    )


def _scale(axis: Axes, most: float) -> None:
    from matplotlib.ticker import FuncFormatter

    axis.set_xlim(0.0, most * _ROOM)
    axis.xaxis.set_major_formatter(FuncFormatter(_tick))


def _tick(value: float, _: object) -> str:
    if value == 0.0:
        return "0"
    return f"{value:g} s" if value >= 1.0 else f"{value * 1e3:g} ms"
