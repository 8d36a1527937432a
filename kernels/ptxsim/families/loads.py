"""ld and st, of parameters, global and shared memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.errors import Unimplemented
from kernels.ptxsim.formats import NUMPY, UNSIGNED, Array, size_of
from kernels.ptxsim.operands import Address, Symbol, elements
from kernels.ptxsim.registry import Action, instruction

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction


def is_shared(found: Instruction) -> bool:
    """Whether an instruction names the shared state space."""
    return any(part.startswith("shared") for part in found.opcode)


def _address(found: Instruction, place: int) -> Address:
    address = found.operands[place]
    if not isinstance(address, Address):
        raise Unimplemented(f"address `{address.text}`")
    return address


@instruction("ld")
def load(found: Instruction) -> Action:
    """Loads, also of vectors; a narrower value is extended as its type asks."""
    address = _address(found, 1)
    if found.has("param"):
        return _load_parameter(found, address)
    if not (is_shared(found) or found.has("global")):
        raise Unimplemented("ld of this state space")
    places = address.reader()
    size, dtype = size_of(found.kind), NUMPY[found.kind]
    writes = [element.writer() for element in elements(found.operands[0])]
    count, shared = len(writes), is_shared(found)

    def act(block: Block, mask: Array) -> None:
        lanes = np.flatnonzero(mask)
        at, warps = places(block)[lanes], lanes // 32
        if shared:
            memory = block.shared
            values = memory.load(memory.starts(at, size * count), size, count, warps)
        else:
            offsets = block.arena.offsets(at, size * count)
            if block.arena.trace is not None:
                block.arena.trace.record("ld.global", offsets, size * count, warps)
            values = block.arena.load(offsets, size, count)
        for column, write in enumerate(writes):
            spread = np.zeros(block.threads, dtype)
            spread[lanes] = values[:, column].view(dtype)
            write(block, spread, mask)

    return act


def _load_parameter(found: Instruction, address: Address) -> Action:
    if not isinstance(address.base, Symbol):
        raise Unimplemented("ld.param through a register")
    start, dtype = address.base.value + address.offset, NUMPY[found.kind]
    writes = [element.writer() for element in elements(found.operands[0])]

    def act(block: Block, mask: Array) -> None:
        for number, write in enumerate(writes):
            first = start + number * dtype.itemsize
            value = block.parameters[first : first + dtype.itemsize].view(dtype)
            write(block, np.repeat(value, block.threads), mask)

    return act


@instruction("st")
def store(found: Instruction) -> Action:
    """Stores, also of vectors."""
    if not (is_shared(found) or found.has("global")):
        raise Unimplemented("st of this state space")
    places = _address(found, 0).reader()
    size = size_of(found.kind)
    reads = [element.reader(f"b{8 * size}") for element in elements(found.operands[1])]
    width, shared = size * len(reads), is_shared(found)

    def act(block: Block, mask: Array) -> None:
        lanes = np.flatnonzero(mask)
        at, warps = places(block)[lanes], lanes // 32
        values = np.empty((len(lanes), len(reads)), UNSIGNED[size])
        for column, read in enumerate(reads):
            values[:, column] = read(block)[lanes]
        if shared:
            block.shared.store(block.shared.starts(at, width), values, warps)
            return
        offsets = block.arena.offsets(at, width)
        if block.arena.trace is not None:
            block.arena.trace.record("st.global", offsets, width, warps)
        block.arena.store(offsets, values)

    return act
