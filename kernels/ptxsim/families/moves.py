"""mov, cvta, mapa and others that only carry a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.formats import UNSIGNED, Array, size_of
from kernels.ptxsim.memory import PARAMETER_BASE
from kernels.ptxsim.operands import Operand, Vector
from kernels.ptxsim.registry import Action, instruction

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction


@instruction("mov")
def move(found: Instruction) -> Action:
    """A copy; a vector on one side packs or unpacks."""
    target, source = found.operands
    if isinstance(source, Vector):
        return _pack(found, target, source)
    if isinstance(target, Vector):
        return _unpack(found, target, source)
    read, write = source.reader(found.kind), target.writer()
    return lambda block, mask: write(block, read(block), mask)


def _pack(found: Instruction, target: Operand, source: Vector) -> Action:
    size = size_of(found.kind)
    part = f"b{8 * size // len(source.elements)}"
    reads, write = [element.reader(part) for element in source.elements], target.writer()
    return lambda block, mask: write(
        block, np.stack([read(block) for read in reads], 1).view(UNSIGNED[size])[:, 0], mask
    )


def _unpack(found: Instruction, target: Vector, source: Operand) -> Action:
    part = UNSIGNED[size_of(found.kind) // len(target.elements)]
    read = source.reader(found.kind)
    writes = [element.writer() for element in target.elements]

    def act(block: Block, mask: Array) -> None:
        parts = np.ascontiguousarray(read(block)).view(part).reshape(block.threads, -1)
        for column, write in enumerate(writes):
            write(block, parts[:, column], mask)

    return act


@instruction("cvta")
def to_generic(found: Instruction) -> Action:
    """Addresses of all spaces are generic here; parameters have their own window."""
    read, write = found.operands[1].reader(found.kind), found.operands[0].writer()
    base = np.uint64(PARAMETER_BASE if found.has("param") else 0)
    return lambda block, mask: write(block, read(block) + base.astype(read(block).dtype), mask)


@instruction("mapa")
def map_address(found: Instruction) -> Action:
    """The same address in another block of the cluster, which is always this one."""
    read, write = found.operands[1].reader(found.kind), found.operands[0].writer()
    return lambda block, mask: write(block, read(block), mask)


@instruction("createpolicy")
def create_policy(found: Instruction) -> Action:
    """Cache policies mean nothing here."""
    write = found.operands[0].writer()
    return lambda block, mask: write(block, np.zeros(block.threads, np.uint64), mask)
