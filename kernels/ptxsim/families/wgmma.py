"""wgmma: asynchronous matrix products of warp groups (sm_90).

Results exist when their group is waited for; until then the accumulator registers are poisoned, and
operands, in shared memory or in registers, must stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.block import lanes_of
from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.families.matrices import whole_warps
from kernels.ptxsim.families.mma import GROUP, QUAD, fragment
from kernels.ptxsim.formats import ELEMENT_BYTES, NUMPY, Array, matrix_values
from kernels.ptxsim.matrix_operands import Fetched, fetch
from kernels.ptxsim.operands import Operand, Reader, Register, Vector, constant, elements
from kernels.ptxsim.registry import Action, instruction

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

_POISON = np.uint32(0xFFFFFFFF)


@dataclass
class Accumulator:
    """A warp's accumulator registers while products into them are under way."""

    registers: tuple[int, ...]
    values: Array
    products: int = 0


@dataclass(frozen=True)
class Product:
    """One warp's part of a wgmma, with what must not change before it is complete."""

    accumulator: Accumulator
    kind: str
    shared: tuple[Fetched, ...]
    registers: tuple[tuple[int, Array], ...]


class WarpGroups:
    """Open and committed groups of products, accumulators in flight and fences, of each warp."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.open: list[list[Product]] = [[] for _ in range(block.warps)]
        self.committed: list[list[list[Product]]] = [[] for _ in range(block.warps)]
        self.accumulators: list[list[Accumulator]] = [[] for _ in range(block.warps)]
        self.fenced = np.full(block.warps, -1, np.int64)

    def finish(self) -> None:
        """Raise if products are left."""
        if any(self.open) or any(self.committed):
            raise SimulationError("exit with wgmma in flight")

    def commit(self, warp: int) -> None:
        """Close the open group."""
        self.committed[warp].append(self.open[warp])
        self.open[warp] = []

    def wait(self, warp: int, left: int) -> None:
        """Complete groups, oldest first."""
        while len(self.committed[warp]) > left:
            for product in self.committed[warp].pop(0):
                self._complete(warp, product)

    def accumulator(self, warp: int, registers: tuple[int, ...], kind: str) -> Accumulator:
        """The accumulator in flight, or a new one with the registers' values."""
        for found in self.accumulators[warp]:
            if found.registers == registers:
                return found
            if set(found.registers) & set(registers):
                raise SimulationError("wgmma accumulator overlaps another one in flight")
        own, file = lanes_of(warp), self.block.registers
        values = np.stack([file[index][own] for index in registers], 1).view(NUMPY[kind])
        made = Accumulator(registers, values.astype(np.float64))
        self.accumulators[warp].append(made)
        return made

    def check_fence(self, warp: int, registers: list[int]) -> None:
        """Raise if a register was written after the warp's last wgmma.fence."""
        written = self.block.written
        if written is not None and (written[registers, warp] > self.fenced[warp]).any():
            raise SimulationError(
                "wgmma without wgmma.fence after one of its registers was written"
            )

    def _complete(self, warp: int, product: Product) -> None:
        block, own = self.block, lanes_of(warp)
        for operand in product.shared:
            if operand.changed(block):
                raise SimulationError("wgmma operand in shared memory changed before wait_group")
            block.shared.ordering.remember_read(operand.units, warp)
        for index, bits in product.registers:
            if (block.registers[index][own] != bits).any():
                raise SimulationError("wgmma operand register changed before wait_group")
        accumulator = product.accumulator
        accumulator.products -= 1
        if accumulator.products:
            return
        result = accumulator.values.astype(NUMPY[product.kind]).view(np.uint32)
        for column, index in enumerate(accumulator.registers):
            if (block.registers[index][own] != _POISON).any():
                raise SimulationError("wgmma accumulator register written while in flight")
            block.registers[index][own] = result[:, column]
        self.accumulators[warp].remove(accumulator)


@instruction("wgmma.fence", "wgmma.commit_group", "wgmma.wait_group")
def group(found: Instruction) -> Action:
    """Order of register accesses, and groups of products."""
    form = found.opcode[1]
    left = constant(found.operands[0]) if form == "wait_group" else 0

    def act(block: Block, mask: Array) -> None:
        groups = block.part(WarpGroups)
        for warp in whole_warps(mask):
            if form == "fence":
                groups.fenced[warp] = block.clock
            elif form == "commit_group":
                groups.commit(warp)
            else:
                groups.wait(warp, left)

    return act


@dataclass(frozen=True)
class Form:
    """The decoded parts of wgmma.mma_async."""

    shape: tuple[int, int, int]
    d_kind: str
    a_kind: str
    b_kind: str
    accumulate: Reader | None
    scale_a: int
    scale_b: int
    a_major: bool
    b_major: bool

    @classmethod
    def of(cls, found: Instruction) -> Form:
        """From opcode and operands: d, a, b [, scale-d, imm-a, imm-b [, transposes]]."""
        d_kind, a_kind, b_kind = found.opcode[-3:]
        if found.has("sp") or d_kind not in ("f32", "s32") or a_kind not in ELEMENT_BYTES:
            raise Unimplemented("this form of wgmma")
        rest = found.operands[3:]
        numbers = [constant(operand) for operand in rest[1:]]
        scales, transposes = numbers[:2] or [1, 1], numbers[2:]
        a_in_registers = isinstance(found.operands[1], Vector)
        return cls(
            found.shape(),
            d_kind,
            a_kind,
            b_kind,
            rest[0].reader("pred") if rest else None,
            scales[0],
            scales[1],
            bool(transposes and not a_in_registers and transposes[0]),
            bool(transposes and transposes[-1]),
        )


def _indices(operand: Operand) -> list[int]:
    return [part.index for part in elements(operand) if isinstance(part, Register)]


@instruction("wgmma.mma_async")
def multiply(found: Instruction) -> Action:
    """D = A B + D of four warps; each warp has 16 rows of A and D."""
    form = Form.of(found)
    rows, columns, depth = form.shape
    size = ELEMENT_BYTES[form.a_kind]
    target = _indices(found.operands[0])
    a_in_registers = isinstance(found.operands[1], Vector)
    a_registers = _indices(found.operands[1]) if a_in_registers else []
    a_descriptor = None if a_in_registers else found.operands[1].reader("b64")
    b_descriptor = found.operands[2].reader("b64")
    number = np.arange(len(target))
    row = GROUP[:, None] + 8 * (number // 2 % 2)
    column = 8 * (number // 4) + 2 * QUAD[:, None] + number % 2

    def matrix(
        block: Block, warp: int, reader: Reader, kind: str, count: int, major: bool
    ) -> tuple[Fetched, Array]:
        descriptor = int(reader(block)[32 * warp])
        operand = fetch(block, warp, descriptor, count, depth, size, major)
        return operand, matrix_values(np.ascontiguousarray(operand.taken), kind)[..., 0]

    def act(block: Block, mask: Array) -> None:
        groups = block.part(WarpGroups)
        accumulate = form.accumulate(block) if form.accumulate else np.ones_like(mask)
        for warp in whole_warps(mask):
            own = lanes_of(warp)
            groups.check_fence(warp, target + a_registers)
            operand, b = matrix(block, warp, b_descriptor, form.b_kind, columns, form.b_major)
            shared, held = [operand], []
            if a_descriptor is None:
                bits = np.stack([block.registers[index][own] for index in a_registers], 1)
                a = fragment(bits[None], form.a_kind, 16, depth, "a")[0]
                held = [(index, bits[:, n]) for n, index in enumerate(a_registers)]
            else:
                operand, a = matrix(block, warp, a_descriptor, form.a_kind, rows, form.a_major)
                a = a[16 * (warp % 4) : 16 * (warp % 4) + 16]
                shared.append(operand)
            product = (a * form.scale_a) @ (b * form.scale_b).T
            sums = groups.accumulator(warp, tuple(target), form.d_kind)
            before = np.where(accumulate[own][:, None], sums.values, 0)
            rounded = (product[row, column] + before).astype(NUMPY[form.d_kind])
            sums.values = rounded.astype(np.float64)
            sums.products += 1
            for index in target:
                block.registers[index][own] = _POISON
            groups.open[warp].append(Product(sums, form.d_kind, tuple(shared), tuple(held)))

    return act
