"""mma.sync: D = A B + C of one warp, m16n8, from registers.

Element e of register r of a lane (group g = lane / 4, q = lane % 4) is, with E elements a register:
A [g + 8 (r & 1), q E + e + 4 E (r >> 1)], B [q E + e + 4 E r, g], and of 32-bit C and D
[g + 8 (r >> 1), 2 q + (r & 1)] (PTX ISA, "Matrix fragments for mma").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.block import lanes_of
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
    """A [rows, columns] or B [rows, columns] in float64 from 32-bit registers [lanes, n]."""
    per_register = 4 // ELEMENT_BYTES[kind]
    values = matrix_values(np.ascontiguousarray(registers), kind).reshape(32, -1, per_register)
    element = np.arange(per_register)
    matrix = np.zeros((rows, columns))
    for register in range(values.shape[1]):
        along = QUAD[:, None] * per_register + element
        if side == "a":
            across = (GROUP + 8 * (register & 1))[:, None]
            matrix[across, along + 4 * per_register * (register >> 1)] = values[:, register]
        else:
            matrix[along + 4 * per_register * register, GROUP[:, None]] = values[:, register]
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
        a, b, c = (_gather(block, group) for group in readers)
        results = np.zeros((block.threads, len(writers)), np.uint32)
        for warp in whole_warps(mask):
            own = lanes_of(warp)
            left = fragment(a[own], a_kind, rows, depth, "a")
            right = fragment(b[own], b_kind, depth, columns, "b")
            total = left @ right + _accumulator(c[own], d_kind)
            results[own] = _registers(total, d_kind)
        for column, write in enumerate(writers):
            write(block, results[:, column], mask)

    return act


def _gather(block: Block, readers: list[Reader]) -> Array:
    return np.stack([read(block) for read in readers], 1)


def _accumulator(registers: Array, kind: str) -> Array:
    matrix = np.zeros((16, 8))
    if kind == "f16":
        pairs = np.ascontiguousarray(registers).view(np.float16).reshape(32, -1, 2)
        for register in range(pairs.shape[1]):
            columns = 2 * QUAD[:, None] + np.arange(2)
            matrix[(GROUP + 8 * register)[:, None], columns] = pairs[:, register]
        return matrix
    values = registers.view(NUMPY[kind])
    for register in range(4):
        matrix[GROUP + 8 * (register >> 1), 2 * QUAD + (register & 1)] = values[:, register]
    return matrix


def _registers(total: Array, kind: str) -> Array:
    if kind == "f16":
        halves = total.astype(np.float16)
        rows = GROUP[:, None, None] + 8 * np.arange(2)[:, None]
        pairs = halves[rows, 2 * QUAD[:, None, None] + np.arange(2)]
        return np.ascontiguousarray(pairs).view(np.uint32)[:, :, 0]
    register = np.arange(4)
    picked = total[GROUP[:, None] + 8 * (register >> 1), 2 * QUAD[:, None] + (register & 1)]
    return picked.astype(NUMPY[kind]).view(np.uint32)
