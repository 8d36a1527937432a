"""tcgen05: allocation of tensor memory, waits and commits (one block, sm_100)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.families.matrices import whole_warps
from kernels.ptxsim.families.mbarriers import Mbarrier, Mbarriers
from kernels.ptxsim.formats import Array
from kernels.ptxsim.registry import Action, instruction
from kernels.ptxsim.tensor_memory import TensorMemory

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction


def single_block(found: Instruction) -> None:
    """Raise Unimplemented for forms that pair two blocks."""
    if found.has("cta_group::2") or any("multicast" in part for part in found.opcode):
        raise Unimplemented("tcgen05 over two blocks")


@instruction("tcgen05.alloc")
def allocate(found: Instruction) -> Action:
    """Columns of tensor memory; their first one is written to shared memory."""
    single_block(found)
    places, counts = found.operands[0].reader("b64"), found.operands[1].reader("u32")

    def act(block: Block, mask: Array) -> None:
        for warp in whole_warps(mask):
            lane = 32 * warp
            first = block.part(TensorMemory).allocate(int(counts(block)[lane]))
            start = block.shared.starts(places(block)[lane : lane + 1], 4)
            block.shared.store(start, np.array([[first]], np.uint32), np.array([warp]))
            # The hardware writes it, not an ordinary store.
            block.shared.fenced(start + np.arange(4))

    return act


@instruction("tcgen05.dealloc")
def deallocate(found: Instruction) -> Action:
    """Give columns back."""
    single_block(found)
    places, counts = (operand.reader("u32") for operand in found.operands)

    def act(block: Block, mask: Array) -> None:
        for warp in whole_warps(mask):
            place, count = int(places(block)[32 * warp]), int(counts(block)[32 * warp])
            block.part(TensorMemory).free(place, count)

    return act


@instruction("tcgen05.relinquish_alloc_permit")
def relinquish(found: Instruction) -> Action:
    """No more allocations."""
    single_block(found)

    def act(block: Block, mask: Array) -> None:
        block.part(TensorMemory).relinquished = True

    return act


@instruction("tcgen05.fence::before_thread_sync", "tcgen05.fence::after_thread_sync")
def fence(found: Instruction) -> Action:
    """Order towards other synchronisation; everything is in order here."""
    return lambda block, mask: None


@instruction("tcgen05.wait::ld", "tcgen05.wait::st")
def wait(found: Instruction) -> Action:
    """Wait for this warp's loads or stores."""
    loads = found.opcode[1].endswith("ld")

    def act(block: Block, mask: Array) -> None:
        memory = block.part(TensorMemory)
        queues = memory.loads if loads else memory.stores
        for warp in whole_warps(mask):
            for finish in queues[warp]:
                finish()
            queues[warp] = []

    return act


@dataclass(eq=False)
class Commit:
    """A tcgen05.commit: the products before it, its barrier, and what its thread had seen."""

    until: int
    barrier: Mbarrier
    seen: Array
    land: Callable[[], None] | None = None


class Commits:
    """Commits that have not arrived yet, in order; when one arrives, those before it have."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.waiting: list[Commit] = []

    def finish(self) -> None:
        """Raise if an arrival is left, whose barrier nobody waited for."""
        if self.waiting:
            raise SimulationError("exit with a tcgen05.commit that was not waited for")

    def add(self, commit: Commit) -> None:
        """Issue one; it arrives when somebody waits for its barrier."""
        self.waiting.append(commit)
        commit.land = partial(self._arrive, commit)
        commit.barrier.landing.append(commit.land)

    def _arrive(self, last: Commit) -> None:
        memory, ordering = self.block.part(TensorMemory), self.block.shared.ordering
        while last in self.waiting:
            commit = self.waiting.pop(0)
            if commit.land in commit.barrier.landing:
                commit.barrier.landing.remove(commit.land)
            memory.complete(commit.until)
            seen = np.maximum(commit.seen, ordering.release(ordering.engines))
            self.block.part(Mbarriers).arrive(commit.barrier, seen, 1)


@instruction("tcgen05.commit")
def commit(found: Instruction) -> Action:
    """An mbarrier is told when all products issued so far are complete."""
    single_block(found)
    if not any("arrive::one" in part for part in found.opcode):
        raise Unimplemented("tcgen05.commit without an mbarrier")
    places = found.operands[0].reader("b64")

    def act(block: Block, mask: Array) -> None:
        for lane in np.flatnonzero(mask).tolist():
            barrier = block.part(Mbarriers).find(int(places(block)[lane]), lane // 32)
            seen = block.shared.ordering.release(lane // 32)
            issued = block.part(TensorMemory).issued
            block.part(Commits).add(Commit(issued, barrier, seen))

    return act
