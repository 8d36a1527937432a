"""Where the time goes: what is paid once, and what each batch pays, stage on stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.ratios import named, spread, timed
from benchmarks.reporting.figures import MUTED, figure, to_svg
from benchmarks.reporting.words import duration
from benchmarks.results import Case, Stage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ONCE: tuple[Stage, ...] = ("build", "cold start", "first sample")
EACH: tuple[Stage, ...] = ("steady state", "copy", "encode")
_COLOURS = {
    "build": "#c9d2d8",
    "cold start": "#8fa3b0",
    "first sample": "#4f6b7d",
    "steady state": "#17608f",
    "copy": "#6fa9cc",
    "encode": "#d9a441",
}
_ROW_IN = 0.27


def stacks(cases: Sequence[Case]) -> str | None:
    """Stages of one model and precision as two panels of stacked bars; None without any."""
    staged = {case.stage: case for case in cases if case.stage in (*ONCE, *EACH)}
    if not staged:
        return None
    names = _names(list(staged.values()))
    with figure(len(names) * _ROW_IN + 1.25, 1, 2) as (drawn, axes):
        for axis, stages, title in (
            (axes[0], ONCE, "once"),
            (axes[1], EACH, f"each batch of {max(case.batch for case in staged.values()):,}"),
        ):
            present = [staged[stage] for stage in stages if stage in staged]
            _panel(axis, present, names, title)
        axes[1].set_yticklabels([])
        found = [axis.get_legend_handles_labels() for axis in axes]
        handles = [handle for one, _ in found for handle in one]
        labels = [label for _, one in found for label in one]
        drawn.legend(handles, labels, loc="outside upper center", ncols=6, handlelength=1.0)
        drawn.supxlabel("time, sum of the medians of its stages", fontsize=8.5, color=MUTED)
        first = cases[0]
        return to_svg(drawn, f"{first.name}, {first.precision}: time of each stage")


def _names(cases: Sequence[Case]) -> list[str]:
    """Ours first, then the others in their order."""
    roles = {one.name: one.role for case in cases for one in timed(case)}
    return sorted(roles, key=lambda name: roles[name] != "ours")


def _panel(axis: Axes, cases: Sequence[Case], names: Sequence[str], title: str) -> None:
    from matplotlib.ticker import FuncFormatter

    ends = [0.0] * len(names)
    for case in cases:
        label: str | None = case.stage
        for row, name in enumerate(names):
            one = named(case, name)
            if one is None:
                continue
            seconds = spread(one.seconds).median
            axis.barh(
                row, seconds, left=ends[row], height=0.64, color=_COLOURS[case.stage], label=label
            )
            ends[row] += seconds
            label = None
    for row, end in enumerate(ends):
        axis.annotate(
            duration(end) if end else "not measured",
            (end, row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=MUTED,
        )
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_xlim(0.0, (max(ends) or 1.0) * 1.25)
    axis.set_title(title)
    axis.xaxis.set_major_formatter(FuncFormatter(_tick))


def _tick(value: float, _: object) -> str:
    if value == 0.0:
        return "0"
    return f"{value:g} s" if value >= 1.0 else f"{value * 1e3:g} ms"
