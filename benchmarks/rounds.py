"""Timing side by side: rounds go over all contestants in turn, so that noise meets them alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

Item = TypeVar("Item")

# A sample lasts at least this long: shorter ones measure the timer and the scheduler.
LEAST_SECONDS = 5e-3
# A shorter call feels that the others have emptied the caches and sent its threads to sleep.
_WARMED_SECONDS = 4 * LEAST_SECONDS
# Calls of which the quickest says how many make a sample: any one may have been held up.
_TRIALS = 5
_TRIAL_SECONDS = 0.25
# Runtimes let their threads spin for a while after a call; they shall not spin into the next one's.
_PAUSE_SECONDS = 10e-3


def rotated(items: Sequence[Item], round_number: int) -> list[Item]:
    """The order of one round: each begins with another contestant."""
    if not items:
        return []
    first = round_number % len(items)
    return [*items[first:], *items[:first]]


def repeats(seconds: float) -> int:
    """Calls in a sample, from the time that one takes."""
    return max(1, math.ceil(LEAST_SECONDS / max(seconds, 1e-9)))


def interleave(
    runs: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    clock: Callable[[], float] = time.perf_counter,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, tuple[float, ...]]:
    """Seconds of one call, by contestant and round; all of them were called before.

    In each round a short call is made once without being timed, then as often as a sample needs.
    """
    calls = {name: quickest(run, clock) for name, run in runs.items()}
    counts = {name: repeats(one) for name, one in calls.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for number in range(rounds):
        for name in rotated(names, number):
            sleep(_PAUSE_SECONDS)
            if calls[name] < _WARMED_SECONDS:
                runs[name]()
            seconds[name].append(seconds_of(runs[name], counts[name], clock))
    return {name: tuple(values) for name, values in seconds.items()}


def quickest(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Seconds of an undisturbed call if it is a short one, of any call if not."""
    least, begin = math.inf, clock()
    for _ in range(_TRIALS):
        least = min(least, seconds_of(run, 1, clock))
        if clock() - begin > _TRIAL_SECONDS:
            break
    return least


def seconds_of(
    run: Callable[[], object], count: int = 1, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Seconds of one of `count` calls in a row."""
    begin = clock()
    for _ in range(count):
        run()
    return (clock() - begin) / count
