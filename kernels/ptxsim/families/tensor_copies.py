"""tcgen05.ld and tcgen05.st: between tensor memory and registers, one warp's 32 lanes at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.block import lanes_of
from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.families.matrices import whole_warps
from kernels.ptxsim.formats import Array
from kernels.ptxsim.operands import Writer, elements
from kernels.ptxsim.registry import Action, instruction
from kernels.ptxsim.tensor_memory import POISON, TensorMemory

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

_LANES = np.arange(32)[:, None]


def _shape(found: Instruction) -> str:
    if found.has("pack::16b", "unpack::16b", "red"):
        raise Unimplemented("tcgen05 with packing or reduction")
    shapes = ("32x32b", "16x128b", "16x256b", "16x32bx2")
    shape = next((part for part in found.opcode if part in shapes), None)
    if shape is None:
        raise Unimplemented("this shape of tcgen05.ld or .st")
    return shape


def cells(shape: str, address: int, registers: int, apart: int) -> tuple[Array, Array]:
    """Lane and column of tensor memory [threads, registers] for one warp's access."""
    lane, column = address >> 16, address & 0xFFFF
    register = np.arange(registers)
    if shape == "32x32b":
        rows, places = _LANES + 0 * register, register + 0 * _LANES
    elif shape == "16x128b":
        rows = _LANES // 4 + 8 * (register % 2)
        places = 4 * (register // 2) + _LANES % 4
    elif shape == "16x256b":
        rows = _LANES // 4 + 8 * (register // 2 % 2)
        places = 8 * (register // 4) + 2 * (_LANES % 4) + register % 2
    else:
        rows, places = _LANES % 16 + 0 * register, register + _LANES // 16 * apart
    return lane + rows, column + places


def _checked(
    memory: TensorMemory, shape: str, warp: int, addresses: Array, registers: int, apart: int
) -> tuple[Array, Array]:
    address = int(addresses[0])
    if (addresses != address).any():
        raise SimulationError("tensor memory address differs between the lanes of a warp")
    if (address >> 16) // 32 != warp % 4:
        raise SimulationError(f"warp {warp} may not touch lane {address >> 16} of tensor memory")
    lanes, columns = cells(shape, address, registers, apart)
    for column in np.unique(columns).tolist():
        memory.check(column, column)
    if lanes.max() >= 32 * (warp % 4) + 32:
        raise SimulationError("tensor memory access leaves the lanes of its warp")
    return lanes, columns


@dataclass(frozen=True)
class _Load:
    """A load under way; `writes` if its results are delivered only by the wait."""

    block: Block
    warp: int
    lanes: Array
    columns: Array
    taken: Array
    writes: list[Writer]

    def finish(self) -> None:
        memory = self.block.part(TensorMemory)
        if (memory.visible[self.lanes, self.columns] != self.taken).any():
            raise SimulationError("tensor memory changed during tcgen05.ld")
        mask = np.arange(self.block.threads) // 32 == self.warp
        late = np.zeros((self.block.threads, self.taken.shape[1]), np.uint32)
        late[lanes_of(self.warp)] = self.taken
        for column, write in enumerate(self.writes):
            write(self.block, late[:, column], mask)


@dataclass(frozen=True)
class _Store:
    memory: TensorMemory
    lanes: Array
    columns: Array
    bits: Array

    def finish(self) -> None:
        self.memory.visible[self.lanes, self.columns] = self.bits
        self.memory.stored[self.lanes, self.columns] = self.bits


@instruction("tcgen05.ld")
def load(found: Instruction) -> Action:
    """Registers from tensor memory.

    Their values are there at once unless the launch is strict: Triton uses them before
    tcgen05.wait::ld, which ptxas makes safe.
    """
    shape = _shape(found)
    writes = [element.writer() for element in elements(found.operands[0])]
    places = found.operands[1].reader("b64")
    offsets = found.operands[-1].reader("u32") if shape == "16x32bx2" else None

    def act(block: Block, mask: Array) -> None:
        memory, at = block.part(TensorMemory), places(block)
        strict = block.environment.strict_tensor_memory
        values = np.full((block.threads, len(writes)), POISON)
        for warp in whole_warps(mask):
            own = lanes_of(warp)
            apart = int(offsets(block)[32 * warp]) if offsets else 0
            lanes, columns = _checked(memory, shape, warp, at[own], len(writes), apart)
            taken = memory.visible[lanes, columns]
            if not strict:
                values[own] = taken
            late = _Load(block, warp, lanes, columns, taken, writes if strict else [])
            memory.loads[warp].append(late.finish)
        for column, write in enumerate(writes):
            write(block, values[:, column], mask)

    return act


@instruction("tcgen05.st")
def store(found: Instruction) -> Action:
    """Tensor memory from registers, poisoned until tcgen05.wait::st."""
    shape = _shape(found)
    places = found.operands[0].reader("b64")
    reads = [element.reader("b32") for element in elements(found.operands[-1])]
    offsets = found.operands[1].reader("u32") if shape == "16x32bx2" else None

    def act(block: Block, mask: Array) -> None:
        memory, at = block.part(TensorMemory), places(block)
        bits = np.stack([read(block) for read in reads], 1)
        for warp in whole_warps(mask):
            own = lanes_of(warp)
            apart = int(offsets(block)[32 * warp]) if offsets else 0
            lanes, columns = _checked(memory, shape, warp, at[own], len(reads), apart)
            memory.visible[lanes, columns] = POISON
            memory.stored[lanes, columns] = POISON
            memory.stores[warp].append(_Store(memory, lanes, columns, bits[own]).finish)

    return act
