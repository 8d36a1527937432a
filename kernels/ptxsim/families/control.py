"""Branches, exits, barriers of the block, and hints that change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.formats import Array
from kernels.ptxsim.registry import Action, instruction

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction


@instruction("bra")
def branch(found: Instruction) -> Action:
    """To a label."""

    def act(block: Block, mask: Array) -> None:
        block.scheduler.pc[mask] = found.target

    return act


@instruction("brx")
def branch_indexed(found: Instruction) -> Action:
    """To one of a table of labels."""
    read, table = found.operands[0].reader("u32"), found.operands[1].text

    def act(block: Block, mask: Array) -> None:
        program = block.program
        targets = np.array([program.labels[name] for name in program.tables[table]])
        index = read(block)[mask]
        if (index >= len(targets)).any():
            raise SimulationError("branch index out of its table")
        block.scheduler.pc[mask] = targets[index]

    return act


@instruction("ret", "exit")
def leave(found: Instruction) -> Action:
    """The thread ends."""

    def act(block: Block, mask: Array) -> None:
        block.scheduler.done |= mask

    return act


@instruction("trap")
def trap(found: Instruction) -> Action:
    """The kernel gives up."""

    def act(block: Block, mask: Array) -> None:
        raise SimulationError("trap")

    return act


@instruction("bar", "barrier")
def barrier(found: Instruction) -> Action:
    """bar.sync, bar.arrive, bar.warp.sync."""
    if found.has("cluster"):
        raise Unimplemented("barriers of a cluster")
    if found.opcode[1] == "warp":
        return _nothing
    if found.opcode[1] not in ("sync", "arrive") or found.has("red"):
        raise Unimplemented(f"barrier .{found.opcode[1]}")
    reads = [operand.reader("u32") for operand in found.operands]

    def act(block: Block, mask: Array) -> None:
        first = int(mask.argmax())
        numbers = [int(read(block)[first]) for read in reads]
        name = numbers[0] if numbers else 0
        if found.opcode[1] == "arrive":
            block.barriers.arrive(mask, name)
        else:
            block.barriers.sync(mask, name, numbers[1] if len(numbers) > 1 else 0)

    return act


@instruction(
    "membar", "discard", "setmaxnreg", "prefetch", "nanosleep", "griddepcontrol", "applypriority"
)
def hint(found: Instruction) -> Action:
    """Nothing to do: memory is always consistent here, and there is no time."""
    return _nothing


def _nothing(block: Block, mask: Array) -> None:
    return None
