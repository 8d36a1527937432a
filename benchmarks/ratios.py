"""Figures derived from results: medians, quartiles, paired ratios, share of the matmul rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.results import Case, Contestant, Matmul


@dataclass(frozen=True)
class Spread:
    """Median and quartiles of a figure over the rounds."""

    low: float
    median: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Quartiles of values [rounds]; at least one is needed."""
    if not len(values):
        raise ValueError("a spread needs at least one value")
    low, median, high = np.percentile(np.asarray(values, np.float64), (25, 50, 75))
    return Spread(float(low), float(median), float(high))


def speedup(ours: Contestant, other: Contestant) -> Spread:
    """How many times as fast as `other`, round by round: its seconds over ours."""
    return spread(_paired(other.seconds, ours.seconds))


def rate(case: Case, contestant: Contestant) -> Spread:
    """Samples a second over the rounds."""
    return spread([case.batch / seconds for seconds in contestant.seconds])


def matmul_rate(matmul: Matmul) -> Spread:
    """FLOP/s of the matrix product over the rounds."""
    return spread([matmul.flop / seconds for seconds in matmul.seconds])


def matmul_share(case: Case, contestant: Contestant) -> Spread | None:
    """Useful FLOP/s over those of the matrix product of the same round; None where not counted."""
    if case.matmul is None or not case.flop_per_sample or not contestant.seconds:
        return None
    work = case.flop_per_sample * case.batch / case.matmul.flop
    return spread([work * one for one in _paired(case.matmul.seconds, contestant.seconds)])


def intensity(case: Case) -> float | None:
    """Useful FLOP per byte that no method avoids to move; None where not counted."""
    moved = case.weight_bytes + case.batch * case.activation_bytes_per_sample
    if not case.flop_per_sample or not moved:
        return None
    return case.flop_per_sample * case.batch / moved


def timed(case: Case, role: str | None = None) -> list[Contestant]:
    """The contestants that were measured, of one role or of all, in their order."""
    return [
        contestant
        for contestant in case.contestants
        if contestant.seconds and role in (None, contestant.role)
    ]


def best(case: Case, role: str) -> Contestant | None:
    """The measured contestant of a role with the lowest median time, or None."""
    found = timed(case, role)
    return min(found, key=lambda one: spread(one.seconds).median) if found else None


def flagship(case: Case) -> Contestant | None:
    """What `Engine` takes when nobody chooses: the first measured one of ours, or None.

    Our wrappers around the peers' runtimes stand behind it, and never for us.
    """
    return next(iter(timed(case, "ours")), None)


def named(case: Case, name: str) -> Contestant | None:
    """The measured contestant of this name, or None."""
    return next((one for one in timed(case) if one.name == name), None)


def headline(case: Case) -> tuple[Contestant, Contestant, Spread] | None:
    """Ours, the best peer, and the paired ratio of the two; None where one lacks."""
    ours, peer = flagship(case), best(case, "peer")
    return (ours, peer, speedup(ours, peer)) if ours and peer else None


def _paired(numerator: Sequence[float], denominator: Sequence[float]) -> list[float]:
    if len(numerator) != len(denominator):
        raise ValueError(f"{len(numerator)} and {len(denominator)} rounds cannot be paired")
    return [a / b for a, b in zip(numerator, denominator, strict=True)]
