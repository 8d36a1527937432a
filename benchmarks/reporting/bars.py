"""Bars of one model: everybody's speed over that of the best peer, by batch and precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.ratios import best, rate, speedup, timed
from benchmarks.reporting.figures import BEST_PEER, INK, MUTED, OURS, PEER, figure, to_svg
from benchmarks.reporting.words import number
from benchmarks.results import Case, Contestant

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_IN = 0.24
_PANEL_IN = 0.75
# Right of the longest bar there is room for its ratio and rate.
_ROOM = 2.1


def bars(cases: Sequence[Case]) -> str:
    """One panel a case: rows of precisions, columns of batch sizes; whiskers are quartiles."""
    precisions = list(dict.fromkeys(case.precision for case in cases))
    batches = sorted({case.batch for case in cases})
    place = {(case.precision, case.batch): case for case in cases}
    most = [
        max(len(timed(case)) for case in cases if case.precision == precision)
        for precision in precisions
    ]
    height = sum(most) * _ROW_IN + len(precisions) * _PANEL_IN + 0.25
    with figure(height, len(precisions), len(batches), most) as (drawn, axes):
        for index, axis in enumerate(axes):
            row, column = divmod(index, len(batches))
            case = place.get((precisions[row], batches[column]))
            if case is None:
                axis.set_axis_off()
            else:
                _panel(axis, case, most[row])
        drawn.supxlabel(
            "speed over the best peer's, median of paired rounds; whiskers: quartiles; "
            "grey: samples/s",
            fontsize=8.5,
            color=MUTED,
        )
        return to_svg(drawn, f"{cases[0].name}: speed of each contestant over the best peer's")


def _panel(axis: Axes, case: Case, most: int) -> None:
    against = best(case, "peer") or timed(case)[0]
    ranked = sorted(timed(case), key=lambda one: -speedup(one, against).median)
    widest = 0.0
    for row, one in enumerate(ranked):
        ratio = speedup(one, against)
        axis.barh(row, ratio.median, height=0.66, color=_colour(case, one, against))
        axis.plot([ratio.low, ratio.high], [row, row], color=INK, linewidth=1.0)
        end = max(ratio.median, ratio.high)
        widest = max(widest, end)
        axis.annotate(
            f"{ratio.median:.2f}x",
            (end, row),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            fontweight="bold" if one.role == "ours" else "normal",
            # The line at 1 stays behind the figure.
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
        )
        axis.annotate(
            f"{number(rate(case, one).median)}/s",
            (1.0, row),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="center",
            fontsize=7.5,
            color=MUTED,
        )
    axis.axvline(1.0, color=MUTED, linewidth=0.7, linestyle=(0, (3, 3)), zorder=0.5)
    axis.set_yticks(range(len(ranked)), [one.name for one in ranked])
    # Panels of one row share their scale of rows, so that bars are of one height.
    axis.set_ylim(most - 0.4, -0.6)
    axis.set_xlim(0.0, widest * _ROOM)
    axis.set_title(f"n = {case.batch:,}, {case.precision}")


def _colour(case: Case, one: Contestant, against: Contestant) -> str:
    if one.role == "ours":
        return OURS[case.precision]
    return BEST_PEER if one is against else PEER
