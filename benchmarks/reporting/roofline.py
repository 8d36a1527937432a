"""Share of the matmul rate against arithmetic intensity: how near each case comes to the machine.

The roof is the matrix product timed in the same rounds, not a data sheet. A method that spends
fewer operations than the definition (Winograd), or whose tiles suit it better, may pass it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.ratios import best, flagship, intensity, matmul_share
from benchmarks.reporting.figures import INK, LINE, MUTED, OURS, PEER, figure, to_svg
from benchmarks.results import Case, Precision

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKERS = {"model": "o", "layer": "D"}
# Labels of points stand this far apart at least, as a share of the axis.
_APART = 0.04


@dataclass(frozen=True)
class _Point:
    case: Case
    intensity: float
    ours: float
    peer: float | None


def roofline(cases: Sequence[Case]) -> str | None:
    """A panel a precision: ours in colour, the best peer in grey; None where nothing is counted."""
    points = [point for case in cases if (point := _point(case))]
    precisions: list[Precision] = list(dict.fromkeys(point.case.precision for point in points))
    if not precisions:
        return None
    shares = [share for point in points for share in (point.ours, point.peer) if share]
    with figure(4.6, 1, len(precisions)) as (drawn, axes):
        for axis, precision in zip(axes, precisions, strict=True):
            axis.set_yscale("log")
            axis.set_ylim(min(0.05, *shares) * 0.8, max(2.0, *shares) * 1.3)
            _panel(axis, [one for one in points if one.case.precision == precision], precision)
        axes[0].set_ylabel("useful FLOP/s over those of the matrix product (log)")
        drawn.supxlabel(
            "arithmetic intensity: useful FLOP per byte of weights, inputs and outputs (log)",
            fontsize=8.5,
            color=MUTED,
        )
        _legend(axes[0], {point.case.kind for point in points})
        handles, labels = axes[0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside upper right", ncols=4, handletextpad=0.2)
        return to_svg(drawn, "Share of the matrix product's rate against arithmetic intensity")


def _point(case: Case) -> _Point | None:
    ours, peer = flagship(case), best(case, "peer")
    share = matmul_share(case, ours) if ours else None
    density = intensity(case)
    if share is None or density is None:
        return None
    theirs = matmul_share(case, peer) if peer else None
    return _Point(case, density, share.median, theirs.median if theirs else None)


def _panel(axis: Axes, points: Sequence[_Point], precision: Precision) -> None:
    axis.set_xscale("log")
    axis.grid(visible=True, which="major")
    axis.axhline(1.0, color=INK, linewidth=1.0)
    axis.set_title(precision)
    for point in points:
        marker = _MARKERS[point.case.kind]
        if point.peer is not None:
            both = [point.peer, point.ours]
            axis.plot([point.intensity] * 2, both, color=LINE, linewidth=1.2, zorder=1)
            axis.plot(point.intensity, point.peer, marker, color=PEER, markersize=4, zorder=2)
        axis.plot(point.intensity, point.ours, marker, color=OURS[precision], markersize=5)
    _name_models(axis, points)
    axis.annotate(
        "matrix product of the same rounds",
        (1.0, 1.0),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        ha="right",
        textcoords="offset points",
        fontsize=7.5,
        color=INK,
    )
    _plain_ticks(axis)


def _name_models(axis: Axes, points: Sequence[_Point]) -> None:
    """Names beside the models at their largest batch, pushed up where they would overlap."""
    models = [point for point in points if point.case.kind == "model"]
    largest = max((point.case.batch for point in models), default=0)
    bottom, top = (math.log(limit) for limit in axis.get_ylim())
    last = -math.inf
    for point in sorted(models, key=lambda point: point.ours):
        if point.case.batch != largest:
            continue
        height = max((math.log(point.ours) - bottom) / (top - bottom), last + _APART)
        last = height
        axis.annotate(
            f"{point.case.name}, n = {largest:,}",
            (point.intensity, point.ours),
            xytext=(0.02, height),
            textcoords="axes fraction",
            va="center",
            fontsize=7.5,
            color=MUTED,
            arrowprops={"arrowstyle": "-", "color": LINE, "linewidth": 0.8},
        )


def _legend(axis: Axes, kinds: set[str]) -> None:
    for kind in sorted(kinds, reverse=True):
        axis.plot([], [], _MARKERS[kind], color=INK, label=f"ours, {kind}s")
        axis.plot([], [], _MARKERS[kind], color=PEER, label=f"best peer, {kind}s")


def _plain_ticks(axis: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    for one in (axis.xaxis, axis.yaxis):
        one.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        one.set_minor_formatter(NullFormatter())
