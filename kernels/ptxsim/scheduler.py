"""Runs a block: which warps go on, in what order, and how lanes that part come together again.

Warps run in bursts until they wait. Lanes of a burst that are at different places run from the
lowest one on, so that they meet again where control flow joins.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from kernels.ptxsim.barriers import FREE
from kernels.ptxsim.block import Block
from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.formats import Array
from kernels.ptxsim.registry import decode

# warp: one random warp at a time, which brings races to light; subset: random sets of warps side
# by side; lockstep: all of them, the fastest.
Schedule: TypeAlias = Literal["warp", "subset", "lockstep"]
SCHEDULES: tuple[Schedule, ...] = ("warp", "subset", "lockstep")

_LARGEST_STALL = 300


class Scheduler:
    """Program counters and states of a block's threads, all [threads]."""

    def __init__(self, block: Block, schedule: Schedule, counts: list[int], limit: int) -> None:
        if schedule not in SCHEDULES:
            raise ValueError(f"schedule={schedule!r} is not one of {', '.join(SCHEDULES)}")
        self.block, self.schedule, self.counts, self.limit = block, schedule, counts, limit
        self.code = block.program.instructions
        self.pc = np.zeros(block.threads, np.int64)
        self.done = np.zeros(block.threads, np.bool_)
        # Lanes that wait for the rest of their warp at a .sync instruction.
        self.gathering = np.zeros(block.threads, np.bool_)
        # Warps whose mbarrier wait failed, until they may try again.
        self.parked = np.zeros(block.warps, np.bool_)
        self.stalls = 0
        self.steps = 0
        block.scheduler = self

    def run(self) -> None:
        """Run the block to its end. Raises SimulationError, also when it can never end."""
        block = self.block
        while not self.done.all():
            runnable = ~self.done & (block.barriers.waiting == FREE)
            if not runnable.any():
                if not self._release():
                    raise SimulationError("deadlock: all threads wait at barriers")
                continue
            warps = runnable.reshape(-1, 32).any(1)
            if self.schedule == "warp" or not (warps & ~self.parked).any():
                self.parked[:] = False
            self._burst(self._chosen(np.flatnonzero(warps & ~self.parked)) & runnable)
            self._release()
        block.finish()

    def park(self, warps: list[int]) -> None:
        """An mbarrier wait of these warps failed. Raises when that has gone on for too long."""
        self.parked[warps] = True
        self.stalls += 1
        if self.stalls > _LARGEST_STALL * self.block.warps:
            raise SimulationError("deadlock: the phase of an mbarrier never completes")

    def _release(self) -> bool:
        released = self.block.barriers.release(int((~self.done).sum()))
        if released:
            self.stalls = 0
        return released

    def _chosen(self, warps: Array) -> Array:
        random = self.block.random
        if self.schedule == "warp":
            warps = random.choice(warps, 1)
        elif self.schedule == "subset":
            warps = random.choice(warps, random.integers(1, len(warps) + 1), replace=False)
        lanes = np.zeros((self.block.warps, 32), np.bool_)
        lanes[warps] = True
        return lanes.reshape(-1)

    def _burst(self, chosen: Array) -> None:
        """Run lanes until all of them wait or are done."""
        waiting = self.block.barriers.waiting
        while True:
            active = chosen & ~self.done & (waiting == FREE)
            if self.parked.any():
                active &= ~np.repeat(self.parked, 32)
            ready = active & ~self.gathering
            if not ready.any():
                if active.any():
                    text = self.code[int(self.pc[active].min())].text
                    raise SimulationError(f"lanes of a warp never come together for `{text}`")
                return
            first = int(self.pc[ready].min())
            here = active & (self.pc == first)
            ahead = self.pc[active]
            ahead = ahead[ahead > first]
            stop = int(ahead.min()) if ahead.size else len(self.code)
            self._straight(here, first, stop)

    def _straight(self, mask: Array, pc: int, stop: int) -> None:
        """Run lanes that are together from pc until a control instruction, or until `stop`."""
        block, code, counts = self.block, self.code, self.counts
        by_warp = mask.reshape(-1, 32)
        here = by_warp.any(1)
        warps = int(here.sum())
        partial = here & ~(by_warp == ~self.done.reshape(-1, 32)).all(1)
        split = bool(partial.any())
        while pc < stop:
            found = code[pc]
            if split and found.converges:
                # Lanes of split warps wait here; the others come back at once.
                stay = np.repeat(partial, 32) & mask
                self.pc[mask] = pc
                self.gathering |= stay
                if not (mask & ~stay).any():
                    return
                mask, split = mask & ~stay, False
                warps = int(mask.reshape(-1, 32).any(1).sum())
            if found.converges:
                self.gathering &= ~mask
            counts[pc] += warps
            self.steps += 1
            block.clock += 1
            if self.steps > self.limit:
                raise SimulationError(f"not ended after {self.limit} steps")
            self._execute(mask, pc)
            if found.controls:
                return
            pc += 1
        self.pc[mask] = pc

    def _execute(self, mask: Array, pc: int) -> None:
        block, found = self.block, self.code[pc]
        if found.controls:
            self.pc[mask] = pc + 1
        if found.guard is not None:
            mask = mask & found.guard(block)
            if not mask.any():
                return
        try:
            if found.action is None:
                found.action = decode(found)
            found.action(block, mask)
        except SimulationError as error:
            raise error.at(found.text, block.index) from None
        except Unimplemented as error:
            raise Unimplemented(f"{error} in `{found.text}`") from None
