"""The sixteen named barriers of a block: bar.sync and bar.arrive."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.errors import SimulationError
from kernels.ptxsim.formats import Array

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block

FREE = -1


class NamedBarriers:
    """Which thread waits where [threads], and what the arrived warps have seen."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.waiting = np.full(block.threads, FREE)
        self.expected = np.zeros(block.threads, np.int64)
        self.arrived: Counter[int] = Counter()
        self.seen: dict[int, Array] = {}

    def finish(self) -> None:
        """Raise if threads arrived at a barrier that never completed."""
        if any(self.arrived.values()):
            raise SimulationError("exit with arrivals at a barrier that was never waited for")

    def sync(self, mask: Array, barrier: int, count: int) -> None:
        """Threads come to a barrier and wait; count 0 means all live threads."""
        self._pass_on(mask, barrier)
        self.waiting[mask] = barrier
        self.expected[mask] = count

    def arrive(self, mask: Array, barrier: int) -> None:
        """Threads come to a barrier and go on."""
        self._pass_on(mask, barrier)
        self.arrived[barrier] += int(mask.sum())

    def release(self, live: int) -> bool:
        """Let threads go on whose barrier is complete; returns whether there was one."""
        released = False
        for barrier in np.unique(self.waiting[self.waiting != FREE]).tolist():
            here = self.waiting == barrier
            number = int(here.sum())
            if number + self.arrived[barrier] < (int(self.expected[here].max()) or live):
                continue
            released = True
            self.waiting[here] = FREE
            self.arrived[barrier] = 0
            seen = self.seen.pop(barrier)
            for warp in np.flatnonzero(here.reshape(-1, 32).any(1)).tolist():
                self.block.shared.ordering.acquire(warp, seen)
            if number > 32:
                self.block.shared.barrier_passed()
        return released

    def _pass_on(self, mask: Array, barrier: int) -> None:
        ordering = self.block.shared.ordering
        for warp in np.flatnonzero(mask.reshape(-1, 32).any(1)).tolist():
            seen = ordering.release(warp)
            np.maximum(seen, self.seen.get(barrier, 0), out=seen)
            self.seen[barrier] = seen
