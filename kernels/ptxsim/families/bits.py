"""Bits: logic, shifts, bit fields, byte permutation, counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.formats import NUMPY, UNSIGNED, Array, size_of
from kernels.ptxsim.operands import constant
from kernels.ptxsim.registry import Action, instruction

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

_NIBBLES = np.array([0, 4, 8, 12], np.uint32)
_LOGIC = {"and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor}


@instruction("and", "or", "xor")
def logic(found: Instruction) -> Action:
    """Of bits or predicates."""
    found.only()
    function = _LOGIC[found.name]
    left, right = (source.reader(found.kind) for source in found.operands[1:3])
    write = found.operands[0].writer()
    return lambda block, mask: write(block, function(left(block), right(block)), mask)


@instruction("not", "cnot")
def complement(found: Instruction) -> Action:
    """Every bit turned over; cnot: whether the number is zero."""
    found.only()
    read, write = found.operands[1].reader(found.kind), found.operands[0].writer()
    if found.name == "cnot":
        return lambda block, mask: write(block, (read(block) == 0).astype(NUMPY[found.kind]), mask)
    return lambda block, mask: write(block, ~read(block), mask)


@instruction("shl", "shr")
def shift(found: Instruction) -> Action:
    """Shifts; an amount of the width or more gives zeros, or the sign for .s types."""
    found.only()
    width = 8 * size_of(found.kind)
    read, amount = found.operands[1].reader(found.kind), found.operands[2].reader("u32")
    write, left, signed = found.operands[0].writer(), found.name == "shl", found.kind[0] == "s"

    def act(block: Block, mask: Array) -> None:
        value, count = read(block), amount(block)
        by = np.minimum(count, width - 1).astype(value.dtype)
        result = value << by if left else value >> by
        if not (signed and not left):
            result = np.where(count >= width, value.dtype.type(0), result)
        write(block, result, mask)

    return act


@instruction("shf")
def funnel_shift(found: Instruction) -> Action:
    """Shift of two words as one; .l gives the upper word, .r the lower."""
    found.only("l", "r", "wrap", "clamp")
    low, high, amount = (source.reader("u32") for source in found.operands[1:4])
    write, left, wrap = found.operands[0].writer(), found.has("l"), found.has("wrap")

    def act(block: Block, mask: Array) -> None:
        count = amount(block)
        by = (count & 31 if wrap else np.minimum(count, 32)).astype(np.uint64)
        both = (high(block).astype(np.uint64) << np.uint64(32)) | low(block)
        result = (both << by) >> np.uint64(32) if left else both >> by
        write(block, result.astype(np.uint32), mask)

    return act


@instruction("bfe")
def extract_field(found: Instruction) -> Action:
    """A bit field, with its sign for .s types (in 64-bit arithmetic for 32 bits)."""
    found.only()
    width = 8 * size_of(found.kind)
    read = found.operands[1].reader(f"b{width}")
    place, length = (source.reader("u32") for source in found.operands[2:4])
    write, signed = found.operands[0].writer(), found.kind[0] == "s"

    def act(block: Block, mask: Array) -> None:
        value = read(block).astype(object)
        start = (place(block) & 255).astype(object)
        count = (length(block) & 255).astype(object)
        field = (value >> start) & ((1 << count) - 1)
        if signed:
            top = np.minimum(start + count - 1, width - 1)
            negative = (count > 0) & ((value >> np.maximum(top, 0)) & 1).astype(bool)
            field = np.where(negative, field | (-1 << count), field)
        bits = field & ((1 << width) - 1)
        write(block, bits.astype(UNSIGNED[width // 8]), mask)

    return act


@instruction("bfi")
def insert_field(found: Instruction) -> Action:
    """A bit field put into another number."""
    found.only()
    width = 8 * size_of(found.kind)
    field, base = (source.reader(found.kind) for source in found.operands[1:3])
    place, length = (source.reader("u32") for source in found.operands[3:5])
    write = found.operands[0].writer()

    def act(block: Block, mask: Array) -> None:
        start = (place(block) & 255).astype(object)
        count = np.minimum(length(block) & 255, width).astype(object)
        covered = (((1 << count) - 1) << start) & ((1 << width) - 1)
        inserted = (field(block).astype(object) << start) & covered
        result = (base(block).astype(object) & ~covered) | inserted
        write(block, result.astype(UNSIGNED[width // 8]), mask)

    return act


@instruction("popc", "clz", "brev")
def count_bits(found: Instruction) -> Action:
    """Bits set, leading zeros, and the bits in reverse."""
    found.only()
    width = 8 * size_of(found.kind)
    read, write = found.operands[1].reader(found.kind), found.operands[0].writer()
    shifts = np.arange(width, dtype=np.uint64)

    def act(block: Block, mask: Array) -> None:
        value = read(block)
        digits = (value.astype(np.uint64)[:, None] >> shifts) & np.uint64(1)
        if found.name == "popc":
            result = digits.sum(1).astype(np.uint32)
        elif found.name == "clz":
            top = np.where(digits.any(1), width - digits[:, ::-1].argmax(1), 0)
            result = (width - top).astype(np.uint32)
        else:
            result = (digits[:, ::-1] << shifts).sum(1).astype(value.dtype)
        write(block, result, mask)

    return act


@instruction("prmt")
def permute_bytes(found: Instruction) -> Action:
    """Any four of eight bytes, each optionally as its sign."""
    found.only()
    low, high, selector = (source.reader("b32") for source in found.operands[1:4])
    write = found.operands[0].writer()

    def act(block: Block, mask: Array) -> None:
        both = np.stack([low(block), high(block)], 1).view(np.uint8)
        picks = (selector(block)[:, None] >> _NIBBLES) & 15
        picked = np.take_along_axis(both, (picks & 7).astype(np.int64), 1)
        signs = np.where(picked & 128, np.uint8(255), np.uint8(0))
        write(block, np.where(picks & 8, signs, picked).view(np.uint32)[:, 0], mask)

    return act


@instruction("lop3")
def logic_of_three(found: Instruction) -> Action:
    """Any logic function of three words, by its truth table."""
    found.only()
    reads = [source.reader("b32") for source in found.operands[1:4]]
    table, write = constant(found.operands[4]), found.operands[0].writer()

    def act(block: Block, mask: Array) -> None:
        a, b, c = (read(block) for read in reads)
        result = np.zeros_like(a)
        for row in range(8):
            if table >> row & 1:
                terms = (a if row & 4 else ~a, b if row & 2 else ~b, c if row & 1 else ~c)
                result |= terms[0] & terms[1] & terms[2]
        write(block, result, mask)

    return act
