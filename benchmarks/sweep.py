"""Internal batch sizes: each contestant is timed at the one that suits it best."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.results import SweepPoint
from benchmarks.rounds import interleave

ROUNDS = 3


def sweep_over(
    runs: dict[int, Callable[[], object]], n: int, rounds: int = ROUNDS
) -> tuple[SweepPoint, ...]:
    """Samples a second at each batch size, interleaved; nothing where there is just one."""
    if len(runs) < 2:
        return ()
    seconds = interleave({str(size): run for size, run in runs.items()}, rounds)
    return tuple(SweepPoint(size, n / float(np.median(seconds[str(size)]))) for size in runs)


def best_size(sweep: Sequence[SweepPoint]) -> int:
    """The batch size with the most samples a second; the smaller one of equals."""
    return max(sweep, key=lambda point: (point.samples_per_s, -point.batch_size)).batch_size
