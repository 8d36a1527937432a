"""The exact Mann-Whitney test and the shift that belongs to it (numpy).

Mann, Whitney: On a test of whether one of two random variables is stochastically larger than the
other (1947); Hodges, Lehmann: Estimates of location based on rank tests (1963).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Shift:
    """How far `b` lies above `a`: estimate, confidence interval, two-sided p."""

    estimate: float
    low: float
    high: float
    p: float


def shift(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> Shift:
    """Compare two samples. Raises ValueError where one is empty.

    The estimate is the median of all differences b - a, the interval those differences that the
    test does not refuse. Ties count half, and round towards no difference.
    """
    if not len(a) or not len(b):
        raise ValueError("two samples are needed")
    differences = np.subtract.outer(np.asarray(b, np.float64), np.asarray(a, np.float64)).ravel()
    ordered = np.sort(differences)
    count = len(ordered)
    u = float((ordered > 0).sum()) + 0.5 * float((ordered == 0).sum())
    tails = _lower_tails(len(a), len(b))
    extreme = math.ceil(min(u, count - u))
    p = min(1.0, 2.0 * float(tails[extreme]))
    # The interval leaves out `cut` differences at either end; without rounds to tell, it is open.
    cut = int(np.searchsorted(tails, (1.0 - confidence) / 2.0, side="right"))
    low = float(ordered[cut - 1]) if cut else -math.inf
    high = float(ordered[count - cut]) if cut else math.inf
    return Shift(float(np.median(ordered)), low, high, p)


def smallest_p(first: int, second: int) -> float:
    """The two-sided p of two samples of these sizes that do not overlap at all."""
    return min(1.0, 2.0 / math.comb(first + second, first))


def holm(values: Sequence[float]) -> list[float]:
    """p values of a family of tests, corrected so that any false alarm is as rare as one alone.

    Holm: A simple sequentially rejective multiple test procedure (1979).
    """
    corrected = [0.0] * len(values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = highest
    return corrected


@functools.cache
def _lower_tails(first: int, second: int) -> NDArray[np.float64]:
    """P(U <= u) for u = 0 ... first * second, where nothing differs."""
    # Rows: how many of the first sample are placed; columns: U so far. Each value of the second
    # sample in turn is followed by any number of the first.
    ways = np.zeros((first + 1, first * second + 1))
    ways[0, 0] = 1.0
    for placed in range(1, first + 1):
        ways[placed, 0] = 1.0
    for above in range(1, second + 1):
        for placed in range(1, first + 1):
            # Either one more of the first sample lies above `above` values, or none does.
            ways[placed, above:] += ways[placed - 1, : first * second + 1 - above]
    tails: NDArray[np.float64] = np.cumsum(ways[first]) / math.comb(first + second, first)
    return tails
