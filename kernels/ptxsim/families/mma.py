"""mma.sync: D = A B + C of one warp, m16n8, from registers.

Element e of register r of a lane (group g = lane / 4, q = lane % 4) is, with E elements a register:
A [g + 8 (r & 1), q E + e + 4 E (r >> 1)], B [q E + e + 4 E r, g], and of 32-bit C and D
[g + 8 (r >> 1), 2 q + (r & 1)] (PTX ISA, "Matrix fragments for mma").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.errors import Unimplemented
from kernels.ptxsim.families.matrices import whole_warps
from kernels.ptxsim.formats import ELEMENT_BYTES, NUMPY, Array, matrix_values
from kernels.ptxsim.operands import Reader, elements
from kernels.ptxsim.registry import Action, instruction

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

LANES = np.arange(32)
GROUP, QUAD = LANES // 4, LANES % 4


def fragment(registers: Array, kind: str, rows: int, columns: int, side: str) -> Array:
    """A or B [warps, rows, columns] in float64 from 32-bit registers [warps, lanes, n]."""
    size = 4 // ELEMENT_BYTES[kind]
    values = matrix_values(np.ascontiguousarray(registers), kind)
    values = values.reshape(*registers.shape, size)
    matrix = np.zeros((len(registers), rows, columns))
    along = QUAD[:, None] * size + np.arange(size)
    for register in range(registers.shape[2]):
        if side == "a":
            across = (GROUP + 8 * (register & 1))[:, None]
            matrix[:, across, along + 4 * size * (register >> 1)] = values[:, :, register]
        else:
            matrix[:, along + 4 * size * register, GROUP[:, None]] = values[:, :, register]
    return matrix


@instruction("mma")
def multiply(found: Instruction) -> Action:
    """mma.sync.aligned.m16n8kK.row.col.d.a.b.c; sums are rounded once, to D's type."""
    rows, columns, depth = found.shape()
    d_kind, a_kind, b_kind, c_kind = found.opcode[-4:]
    if (rows, columns) != (16, 8) or a_kind not in ELEMENT_BYTES or found.has("sp", "satfinite"):
        raise Unimplemented("this form of mma")
    if c_kind != d_kind or d_kind not in ("f32", "s32", "f16"):
        raise Unimplemented(f"mma with {c_kind} accumulators")
    if not found.has("row") or not found.has("col") or found.has("xor"):
        raise Unimplemented("this form of mma")
    readers = [[part.reader("b32") for part in elements(group)] for group in found.operands[1:4]]
    writers = [part.writer() for part in elements(found.operands[0])]

    def act(block: Block, mask: Array) -> None:
        warps = whole_warps(mask)
        a, b, c = (_gather(block, group, warps) for group in readers)
        left = fragment(a, a_kind, rows, depth, "a")
        right = fragment(b, b_kind, depth, columns, "b")
        results = np.zeros((block.warps, 32, len(writers)), np.uint32)
        results[warps] = _registers(left @ right + _accumulator(c, d_kind), d_kind)
        for column, write in enumerate(writers):
            write(block, results[:, :, column].reshape(-1), mask)

    return act


def _gather(block: Block, readers: list[Reader], warps: list[int]) -> Array:
    return np.stack([read(block).reshape(-1, 32)[warps] for read in readers], 2)


_NUMBER = np.arange(4)
# Row and column of the four 32-bit registers of C and D [lanes, registers].
_ROWS = GROUP[:, None] + 8 * (_NUMBER >> 1)
_COLUMNS = 2 * QUAD[:, None] + (_NUMBER & 1)
# The same for two registers of pairs [lanes, registers, 2].
_PAIR_ROWS = GROUP[:, None, None] + 8 * np.arange(2)[:, None]
_PAIR_COLUMNS = 2 * QUAD[:, None, None] + np.arange(2)


def _accumulator(registers: Array, kind: str) -> Array:
    matrix = np.zeros((len(registers), 16, 8))
    if kind == "f16":
        halves = np.ascontiguousarray(registers).view(np.float16)
        matrix[:, _PAIR_ROWS, _PAIR_COLUMNS] = halves.reshape(*registers.shape, 2)
    else:
        matrix[:, _ROWS, _COLUMNS] = registers.view(NUMPY[kind])
    return matrix


def _registers(total: Array, kind: str) -> Array:
    if kind == "f16":
        pairs = np.ascontiguousarray(total.astype(np.float16)[:, _PAIR_ROWS, _PAIR_COLUMNS])
        bits: Array = pairs.view(np.uint32)[..., 0]
        return bits
    return np.ascontiguousarray(total[:, _ROWS, _COLUMNS]).astype(NUMPY[kind]).view(np.uint32)
