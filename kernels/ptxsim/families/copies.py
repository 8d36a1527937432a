"""cp.async: copies from global to shared memory that land when their group is waited for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.ptxsim.block import warps_of
from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.formats import Array
from kernels.ptxsim.operands import constant
from kernels.ptxsim.registry import Action, instruction

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction


@dataclass(frozen=True)
class Copy:
    """One warp's instruction: where to, from where, how many bytes, and which lanes fill zeros."""

    starts: Array
    sources: Array
    from_memory: Array
    size: int


class CopyGroups:
    """Open and committed groups of copies of each warp."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.open: list[list[Copy]] = [[] for _ in range(block.warps)]
        self.committed: list[list[list[Copy]]] = [[] for _ in range(block.warps)]

    def finish(self) -> None:
        """Copies nobody waited for are allowed at the end: shared memory ends with the block."""

    def begin(self, warp: int, copy: Copy) -> None:
        """Issue: the destination is poisoned."""
        shared = self.block.shared
        places = copy.starts[:, None] + np.arange(copy.size)
        shared.begin_copy(places, shared.units(copy.starts, copy.size), warp)
        self.open[warp].append(copy)

    def commit(self, warp: int) -> None:
        """Close the open group."""
        self.committed[warp].append(self.open[warp])
        self.open[warp] = []

    def wait(self, warp: int, left: int) -> None:
        """Let groups land, oldest first, until no more than `left` are under way."""
        while len(self.committed[warp]) > left:
            for copy in self.committed[warp].pop(0):
                self._land(warp, copy)

    def wait_all(self, warp: int) -> None:
        """Let everything land, committed or not."""
        self.commit(warp)
        self.wait(warp, 0)

    def _land(self, warp: int, copy: Copy) -> None:
        block, shared = self.block, self.block.shared
        values = np.zeros((len(copy.starts), copy.size), np.uint8)
        sources = copy.sources[copy.from_memory]
        offsets = block.arena.offsets(sources, copy.size)
        if block.arena.trace is not None:
            block.arena.trace.record("cp.async", offsets, copy.size, np.full(len(sources), warp))
        values[copy.from_memory] = block.arena.data[offsets[:, None] + np.arange(copy.size)]
        places = copy.starts[:, None] + np.arange(copy.size)
        units = shared.units(copy.starts, copy.size)
        shared.end_copy(places, units, values, warp)
        shared.unfenced_by[units] = warp
        shared.any_unfenced = True


@instruction("cp.async")
def copy_async(found: Instruction) -> Action:
    """cp.async.ca/.cg and its groups."""
    form = found.opcode[2]
    if form == "commit_group":
        return _each_warp(lambda groups, warp: groups.commit(warp))
    if form == "wait_group":
        left = constant(found.operands[0])
        return _each_warp(lambda groups, warp: groups.wait(warp, left))
    if form == "wait_all":
        return _each_warp(CopyGroups.wait_all)
    if form not in ("ca", "cg"):
        raise Unimplemented(f"cp.async.{form}")
    return _issue(found)


def _each_warp(step: Callable[[CopyGroups, int], Any]) -> Action:
    def act(block: Block, mask: Array) -> None:
        groups = block.part(CopyGroups)
        for warp in warps_of(mask):
            step(groups, warp)

    return act


def _issue(found: Instruction) -> Action:
    size = constant(found.operands[2])
    targets, sources = (operand.reader("b64") for operand in found.operands[:2])
    lengths = found.operands[3].reader("u32") if len(found.operands) > 3 else None

    def act(block: Block, mask: Array) -> None:
        groups = block.part(CopyGroups)
        to, source = targets(block), sources(block)
        length = lengths(block) if lengths else np.full(block.threads, size)
        for warp in warps_of(mask):
            lanes = np.flatnonzero(mask[32 * warp : 32 * warp + 32]) + 32 * warp
            asked = length[lanes]
            if ((asked != 0) & (asked != size)).any():
                raise SimulationError("cp.async with a source size that is neither 0 nor all")
            starts = block.shared.starts(to[lanes], size)
            groups.begin(warp, Copy(starts, source[lanes], asked > 0, size))

    return act
