"""Figures as short text, the same on the page and in the README."""

from __future__ import annotations

import math

from benchmarks.ratios import Spread
from benchmarks.reporting.bundle import Bundle
from benchmarks.results import Contestant, ImageCost, Machine

NOTHING = "-"
_DIGITS = 3
_SMALL = 1e-3


def number(value: float) -> str:
    """Three significant digits, with thousands separated: 1,230; 45.6; 0.0123; 5.0e-05."""
    if value == 0.0 or not math.isfinite(value):
        return f"{value:g}"
    if abs(value) < _SMALL:
        return f"{value:.1e}"
    digits = _DIGITS - 1 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):,.{max(0, digits)}f}"


def with_spread(spread: Spread) -> str:
    """Median and quartiles: 1,230 (1,100-1,300)."""
    return f"{number(spread.median)} ({number(spread.low)}-{number(spread.high)})"


def ratio(spread: Spread) -> str:
    """Median and quartiles of a ratio: 4.15 (3.90-4.30)."""
    return f"{spread.median:.2f} ({spread.low:.2f}-{spread.high:.2f})"


def percent(spread: Spread | None) -> str:
    """The median as percent."""
    return NOTHING if spread is None else f"{spread.median:.0%}"


def psnr(cost: ImageCost | None) -> str:
    """Mean and worst PSNR: 49.5 / 41.2; equal images have none."""
    if cost is None:
        return NOTHING
    return f"{_decibel(cost.psnr_mean_db)} / {_decibel(cost.psnr_worst_db)}"


def steps(cost: ImageCost | None) -> str:
    """Mean difference in steps of uint8."""
    return NOTHING if cost is None else number(cost.uint8_difference)


def kid(cost: ImageCost | None) -> str:
    """Change of KID, with sign, and what it is a change of."""
    if cost is None:
        return NOTHING
    if cost.kid_change is None:
        return "not measured"
    of = "" if cost.kid_fp32 is None else f" of {number(cost.kid_fp32)}"
    return f"{cost.kid_change:+.4f}{of}"


def duration(seconds: float) -> str:
    """Seconds with a unit that suits: 1.23 s, 45.6 ms, 789 us."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{number(seconds / size)} {unit}"
    return f"{number(seconds / 1e-9)} ns"


def machine(one: Machine) -> str:
    """Processor, cores, instruction sets, memory."""
    parts = [one.cpu, f"{one.cores} cores", " ".join(one.isa), f"{one.memory_bytes / 1e9:.0f} GB"]
    if one.gpu:
        parts.append(one.gpu)
    return ", ".join(part for part in parts if part)


def conditions(bundle: Bundle) -> list[str]:
    """Each run in a line: date, commit, rounds, threads, load, remarks."""
    lines = []
    for run in bundle.runs:
        parts = [
            f"{run.date[:10]}, commit {run.commit}",
            f"preset {run.preset}",
            f"{run.rounds} interleaved rounds",
            f"{run.threads} threads",
        ]
        if run.load is not None:
            parts.append(f"load average {run.load:.1f} at the start")
        if run.remarks:
            parts.append(run.remarks)
        lines.append(", ".join(parts))
    return lines


def versions(one: Machine) -> str:
    """Packages with their versions."""
    return ", ".join(f"{name} {version}" for name, version in one.versions)


def sweep(contestant: Contestant) -> str:
    """Samples a second at each internal batch size that was tried."""
    return ", ".join(
        f"{point.batch_size}: {number(point.samples_per_s)}" for point in contestant.sweep
    )


def _decibel(value: float) -> str:
    return "equal" if math.isinf(value) else f"{value:.1f}"
