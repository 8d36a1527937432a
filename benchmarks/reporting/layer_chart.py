"""The suite of layers as a chart: ours over the best peer, shape by shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.ratios import Spread, headline
from benchmarks.reporting.figures import INK, OURS, figure, to_svg
from benchmarks.results import Case

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_IN = 0.2
_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 20, 30, 50, 100)
# Precisions of one layer stand this far apart, in rows.
_APART = 0.34


def layer_chart(cases: Sequence[Case]) -> str | None:
    """A row a layer, a dot a precision with quartiles; None where ours or all peers lack."""
    shown = {case: found[2] for case in cases if (found := headline(case))}
    if not shown:
        return None
    labels = {case.name: f"{case.name}, n = {case.batch:,}" for case in shown}
    rows = {name: row for row, name in enumerate(labels)}
    precisions = list(dict.fromkeys(case.precision for case in shown))
    with figure(len(rows) * _ROW_IN + 1.1) as (drawn, (axis,)):
        axis.axvline(1.0, color=INK, linewidth=1.0)
        for index, precision in enumerate(precisions):
            apart = _APART * (index - (len(precisions) - 1) / 2)
            chosen = {case: ratio for case, ratio in shown.items() if case.precision == precision}
            heights = [rows[case.name] + apart for case in chosen]
            _dots(axis, heights, list(chosen.values()), OURS[precision], precision)
        axis.set_xscale("log")
        _ticks(axis, list(shown.values()))
        axis.grid(visible=True)
        axis.set_yticks(range(len(rows)), list(labels.values()))
        axis.set_ylim(len(rows) - 0.4, -0.6)
        axis.set_xlabel(
            "speed over the best peer's (log), median of paired rounds; lines: quartiles; "
            "left of 1: the peer is faster"
        )
        drawn.legend(loc="outside upper right", ncols=len(precisions), handletextpad=0.2)
        return to_svg(drawn, "Speed over the best peer's for each layer of the suite")


def _dots(
    axis: Axes, heights: Sequence[float], ratios: Sequence[Spread], colour: str, label: str
) -> None:
    lows, highs = [ratio.low for ratio in ratios], [ratio.high for ratio in ratios]
    axis.hlines(heights, lows, highs, colors=colour, linewidth=1.4, alpha=0.6)
    medians = [ratio.median for ratio in ratios]
    axis.plot(medians, heights, "o", color=colour, markersize=4.5, label=label)


def _ticks(axis: Axes, ratios: Sequence[Spread]) -> None:
    from matplotlib.ticker import NullLocator

    low = min(0.9, *(ratio.low for ratio in ratios)) / 1.1
    high = max(2.0, *(ratio.high for ratio in ratios)) * 1.1
    axis.set_xlim(low, high)
    shown = [tick for tick in _TICKS if low <= tick <= high]
    axis.set_xticks(shown, [f"{tick:g}x" for tick in shown])
    axis.xaxis.set_minor_locator(NullLocator())
    axis.tick_params(axis="x", top=True, labeltop=True)
