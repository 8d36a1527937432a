"""tcgen05.mma: matrix products of one thread into tensor memory (sm_100, one block).

The shape and types are in a 32-bit instruction descriptor (PTX ISA, "Instruction descriptor"):
D type bits 4-5, A and B types 7-9 and 10-12, transposes 15 and 16, N / 8 bits 17-22, M / 16 bits
24-28. Products are in order among themselves; their results are visible once committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.families.tcgen05 import single_block
from kernels.ptxsim.formats import ELEMENT_BYTES, Array, matrix_values
from kernels.ptxsim.matrix_operands import Fetched, fetch
from kernels.ptxsim.operands import Address
from kernels.ptxsim.registry import Action, instruction
from kernels.ptxsim.tensor_memory import LANES, POISON, TensorMemory

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

_KINDS = {
    "kind::f16": {0: "f16", 1: "bf16"},
    "kind::tf32": {2: "tf32"},
    "kind::f8f6f4": {0: "e4m3", 1: "e5m2"},
    "kind::i8": {0: "u8", 1: "s8"},
}
# Bytes of K that one instruction covers.
_DEPTH_BYTES = 32


@dataclass(frozen=True)
class Form:
    """A decoded instruction descriptor."""

    rows: int
    columns: int
    a_kind: str
    b_kind: str
    a_major: bool
    b_major: bool
    integer: bool

    @classmethod
    def of(cls, kind: str, descriptor: int) -> Form:
        """Raises Unimplemented for sparse, negated, half-precision and unusual shapes."""
        types, result = _KINDS[kind], descriptor >> 4 & 3
        a, b = descriptor >> 7 & 7, descriptor >> 10 & 7
        rows, columns = (descriptor >> 24 & 31) * 16, (descriptor >> 17 & 63) * 8
        plain = not descriptor & 0xF and not descriptor >> 13 & 3 and result in (1, 2)
        if not plain or a not in types or b not in types or rows not in (64, 128):
            raise Unimplemented(f"instruction descriptor {descriptor:#x}")
        if not 8 <= columns <= 256 or (rows == 128 and columns % 16):
            raise SimulationError(f"tcgen05.mma of {rows} x {columns}")
        transposed = bool(descriptor >> 15 & 1), bool(descriptor >> 16 & 1)
        return cls(rows, columns, types[a], types[b], *transposed, result == 2)

    def lanes(self, first: int) -> Array:
        """Lanes of tensor memory of the rows of A and D."""
        row = np.arange(self.rows)
        lanes = first + (row if self.rows == LANES else row // 16 * 32 + row % 16)
        if lanes.max() >= LANES:
            raise SimulationError("tcgen05.mma beyond the last lane of tensor memory")
        return lanes


@instruction("tcgen05.mma")
def multiply(found: Instruction) -> Action:
    """D = A B (+ D): [d], a descriptor or [a], b descriptor, instruction descriptor, accumulate."""
    single_block(found)
    kind = next((part for part in found.opcode if part.startswith("kind::")), "")
    if kind not in _KINDS or found.has("ws", "sp", "block_scale") or len(found.operands) != 5:
        raise Unimplemented("this form of tcgen05.mma")
    d, a, b, descriptor, accumulate = found.operands
    d_read, b_read = d.reader("b64"), b.reader("b64")
    a_in_tensor_memory, a_read = isinstance(a, Address), a.reader("b64")
    form_read, accumulate_read = descriptor.reader("b32"), accumulate.reader("pred")

    def act(block: Block, mask: Array) -> None:
        for lane in np.flatnonzero(mask).tolist():
            form = Form.of(kind, int(form_read(block)[lane]))
            target, source = int(d_read(block)[lane]), int(a_read(block)[lane])
            used: list[Fetched] = []
            if a_in_tensor_memory:
                left = _from_tensor_memory(block, form, source)
            else:
                left = _from_shared(block, lane, source, form.a_kind, form.rows, form.a_major, used)
            other, columns = int(b_read(block)[lane]), form.columns
            right = _from_shared(block, lane, other, form.b_kind, columns, form.b_major, used)
            keep = bool(accumulate_read(block)[lane])
            _issue(block, form, target, left @ right.T, keep, used)

    return act


def _from_shared(
    block: Block,
    lane: int,
    descriptor: int,
    kind: str,
    rows: int,
    major: bool,
    used: list[Fetched],
) -> Array:
    size = ELEMENT_BYTES[kind]
    operand = fetch(block, lane // 32, descriptor, rows, _DEPTH_BYTES // size, size, major)
    used.append(operand)
    return matrix_values(np.ascontiguousarray(operand.taken), kind)[..., 0]


def _from_tensor_memory(block: Block, form: Form, address: int) -> Array:
    memory, first = block.part(TensorMemory), address & 0xFFFF
    words = _DEPTH_BYTES // 4
    memory.check(first, first + words - 1)
    bits = memory.stored[form.lanes(address >> 16), first : first + words]
    return matrix_values(np.ascontiguousarray(bits), form.a_kind).reshape(form.rows, -1)


def _issue(
    block: Block,
    form: Form,
    target: int,
    product: Array,
    keep: bool,
    used: list[Fetched],
) -> None:
    memory, first = block.part(TensorMemory), target & 0xFFFF
    memory.check(first, first + form.columns - 1)
    cells = form.lanes(target >> 16)[:, None], np.arange(first, first + form.columns)
    dtype = np.int32 if form.integer else np.float32
    if keep:
        product = product + memory.stored[cells].view(dtype)
    bits = product.astype(dtype).view(np.uint32)
    memory.stored[cells] = bits
    memory.visible[cells] = POISON

    def complete() -> None:
        ordering = block.shared.ordering
        for operand in used:
            if operand.changed(block):
                raise SimulationError("tcgen05.mma operand changed before it was complete")
            ordering.remember_read(operand.units, ordering.engines)
        memory.visible[cells] = bits

    memory.issue(complete)
