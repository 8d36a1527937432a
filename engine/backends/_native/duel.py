"""Two ways to do the same work, in turns, and how many times as fast one is as the other.

Only ratios of neighbouring runs are looked at, so that a machine that slows down in the midst slows
both; and the medians of them, so that one that was interrupted does not decide.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

# Does the work once; gives what it took, in seconds for an equal amount of it.
Run = Callable[[], float]

# What a challenger has to be for the default to give way: less is noise.
ENOUGH = 1.03

_ROUNDS = 11
# Fewer rounds win nothing; and one that was never fast enough in so many has lost.
_FEWEST = 5
_HOPELESS = 3


class Gain(NamedTuple):
    """How many times as fast a challenger is: the median of the rounds, and the lower quartile."""

    median: float
    low: float

    @property
    def wins(self) -> bool:
        """Whether the default gives way: to what is faster in most rounds, and by enough."""
        return self.median >= ENOUGH and self.low >= 1

    def __str__(self) -> str:
        return f"{self.median:.2f} times as fast (lower quartile {self.low:.2f})"


def gain(default: Run, challenger: Run, deadline_s: float) -> Gain | None:
    """Seconds of the default / seconds of the challenger, over the rounds.

    deadline_s: of `time.monotonic`; None is what comes of too few rounds until then.
    """
    # The first run packs weights and touches memory.
    default(), challenger()
    ratios: list[float] = []
    for number in range(_ROUNDS):
        if time.monotonic() > deadline_s:
            break
        # Who goes first finds the caches as the other left them.
        if number % 2:
            after, before = challenger(), default()
        else:
            before, after = default(), challenger()
        ratios.append(before / after)
        if _is_lost(ratios):
            break
    if len(ratios) < _FEWEST and not _is_lost(ratios):
        return None
    low, median, _ = statistics.quantiles(ratios, n=4, method="inclusive")
    return Gain(median, low)


def _is_lost(ratios: list[float]) -> bool:
    """Whether the rounds to come can change nothing, or none so far has been fast enough."""
    enough = sum(ratio >= ENOUGH for ratio in ratios)
    slower = sum(ratio < 1 for ratio in ratios)
    never = len(ratios) >= _HOPELESS and not enough
    return never or len(ratios) - enough > _ROUNDS // 2 or slower > _ROUNDS // 3
