"""mbarrier: barriers in shared memory that count arrivals and bytes delivered.

A phase completes when all arrivals are in and the expected bytes have landed. Asynchronous
operations that signal an mbarrier land only when somebody waits for it, copies in random order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.block import warps_of
from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.formats import Array
from kernels.ptxsim.operands import Address, Sink
from kernels.ptxsim.registry import Action, instruction

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

BYTES = 8
_MARK = 0xA5


@dataclass
class Mbarrier:
    """One barrier. `seen` is what this phase's arrivals know, `completed` the last phase's."""

    count: int
    pending: int
    seen: Array
    completed: Array
    made_by: int
    made_at: int
    bytes_expected: int = 0
    phase: int = 0
    ordered: bool = True
    landing: list[Callable[[], None]] = field(default_factory=list)
    last_use: dict[int, int] = field(default_factory=dict)


class Mbarriers:
    """The live barriers of a block by address."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.live: dict[int, Mbarrier] = {}

    def finish(self) -> None:
        """Raise if copies are still on their way or a live barrier was overwritten."""
        for address, barrier in self.live.items():
            if barrier.landing:
                raise SimulationError("exit with asynchronous copies in flight")
            self._untouched(address)

    def make(self, address: int, count: int, warp: int) -> None:
        """mbarrier.init."""
        if address in self.live:
            raise SimulationError("mbarrier.init on a live mbarrier")
        ordering = self.block.shared.ordering
        self._mark(address, warp, _MARK)
        nothing = np.zeros_like(ordering.clocks[warp])
        now = int(ordering.clocks[warp, warp])
        self.live[address] = Mbarrier(count, count, nothing, nothing.copy(), warp, now)

    def drop(self, address: int, warp: int) -> None:
        """mbarrier.inval."""
        barrier = self.find(address, warp)
        if barrier.landing:
            raise SimulationError("mbarrier invalidated while transactions are in flight")
        clocks = self.block.shared.ordering.clocks
        if any(time > clocks[warp, agent] for agent, time in barrier.last_use.items()):
            raise SimulationError("race: mbarrier invalidated without a barrier after its last use")
        del self.live[address]
        self._mark(address, warp, 0xFF)

    def find(self, address: int, warp: int) -> Mbarrier:
        """The barrier at an address, used by a warp."""
        barrier = self.live.get(address)
        if barrier is None:
            raise SimulationError(f"mbarrier not initialised at {address}")
        self._untouched(address)
        clocks = self.block.shared.ordering.clocks
        if barrier.made_at > clocks[warp, barrier.made_by]:
            raise SimulationError("race: mbarrier used without a barrier after its initialisation")
        barrier.last_use[warp] = int(clocks[warp, warp])
        return barrier

    def arrive(self, barrier: Mbarrier, seen: Array, arrivals: int) -> None:
        """Arrivals by somebody who has seen this much."""
        np.maximum(barrier.seen, seen, out=barrier.seen)
        barrier.pending -= arrivals
        self.advance(barrier)

    def advance(self, barrier: Mbarrier) -> None:
        """Complete the phase if nothing is missing."""
        if barrier.pending < 0:
            raise SimulationError("mbarrier: more arrivals than expected")
        if barrier.pending == 0 and barrier.bytes_expected == 0:
            barrier.phase += 1
            barrier.pending = barrier.count
            barrier.completed, barrier.seen = barrier.seen, np.zeros_like(barrier.seen)
            self.block.scheduler.stalls = 0

    def land_one(self, barrier: Mbarrier) -> None:
        """Let one operation that signals this barrier finish."""
        if barrier.landing:
            last = len(barrier.landing)
            place = 0 if barrier.ordered else int(self.block.random.integers(last))
            barrier.landing.pop(place)()
            self.block.scheduler.stalls = 0

    def _mark(self, address: int, warp: int, byte: int) -> None:
        shared = self.block.shared
        starts = shared.starts(np.array([address]), BYTES)
        shared.check_write(shared.units(starts, BYTES), np.array([warp]))
        shared.data[address : address + BYTES] = byte
        # Triton relies on initialisation being visible to the asynchronous proxy after bar.sync.
        shared.fenced(np.arange(address, address + BYTES))

    def _untouched(self, address: int) -> None:
        if (self.block.shared.data[address : address + BYTES] != _MARK).any():
            raise SimulationError("live mbarrier overwritten (it needs mbarrier.inval before)")


@instruction("mbarrier.init")
def initialise(found: Instruction) -> Action:
    """A new barrier that expects this many arrivals a phase."""
    places, counts = found.operands[0].reader("b64"), found.operands[1].reader("u32")

    def act(block: Block, mask: Array) -> None:
        at, count = places(block), counts(block)
        for lane in np.flatnonzero(mask).tolist():
            block.part(Mbarriers).make(int(at[lane]), int(count[lane]), lane // 32)

    return act


@instruction("mbarrier.inval")
def invalidate(found: Instruction) -> Action:
    """The end of a barrier; its memory may be used for something else."""
    places = found.operands[0].reader("b64")

    def act(block: Block, mask: Array) -> None:
        at = places(block)
        for lane in np.flatnonzero(mask).tolist():
            block.part(Mbarriers).drop(int(at[lane]), lane // 32)

    return act


@instruction("mbarrier.arrive", "mbarrier.expect_tx", "mbarrier.complete_tx")
def arrive(found: Instruction) -> Action:
    """Arrivals, and bytes that are to come; a state token as a result is not known."""
    place = next(n for n, item in enumerate(found.operands) if isinstance(item, Address))
    if place and not isinstance(found.operands[0], Sink):
        raise Unimplemented("mbarrier.arrive with a state")
    if found.has("noComplete"):
        raise Unimplemented("mbarrier.arrive.noComplete")
    form = "arrive_expect" if found.has("arrive") and found.has("expect_tx") else found.opcode[1]
    places = found.operands[place].reader("b64")
    rest = found.operands[place + 1 :]
    numbers = rest[0].reader("u32") if rest else None

    def act(block: Block, mask: Array) -> None:
        barriers, at = block.part(Mbarriers), places(block)
        number = numbers(block) if numbers else np.ones(block.threads, np.uint32)
        for lane in np.flatnonzero(mask).tolist():
            warp, amount = lane // 32, int(number[lane])
            barrier = barriers.find(int(at[lane]), warp)
            if form != "arrive":
                barrier.bytes_expected += -amount if form == "complete_tx" else amount
            if form in ("arrive", "arrive_expect"):
                seen = block.shared.ordering.release(warp)
                barriers.arrive(barrier, seen, amount if form == "arrive" else 1)
            else:
                barriers.advance(barrier)

    return act


@instruction("mbarrier.try_wait", "mbarrier.test_wait")
def wait(found: Instruction) -> Action:
    """Whether the phase of a parity is complete; a warp that has to wait is put aside."""
    if not found.has("parity"):
        raise Unimplemented("mbarrier waits without .parity")
    write = found.operands[0].writer()
    places, parities = found.operands[1].reader("b64"), found.operands[2].reader("u32")

    def act(block: Block, mask: Array) -> None:
        barriers, at, parity = block.part(Mbarriers), places(block), parities(block) & 1
        result, waiting = np.zeros(block.threads, np.bool_), []
        for warp in warps_of(mask):
            lanes = np.flatnonzero(mask[32 * warp : 32 * warp + 32]) + 32 * warp
            if len(np.unique(at[lanes])) != 1 or len(np.unique(parity[lanes])) != 1:
                raise Unimplemented("lanes that wait for different mbarriers or parities")
            barrier, phase = barriers.find(int(at[lanes[0]]), warp), int(parity[lanes[0]])
            if barrier.phase & 1 == phase:
                barriers.land_one(barrier)
            if barrier.phase & 1 != phase:
                result[lanes] = True
                block.shared.ordering.acquire(warp, barrier.completed)
            else:
                waiting.append(warp)
        write(block, result, mask)
        if waiting:
            block.scheduler.park(waiting)
        else:
            block.scheduler.stalls = 0

    return act
