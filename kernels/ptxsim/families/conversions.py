"""cvt: between number types, with rounding, saturation and packing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.errors import Unimplemented
from kernels.ptxsim.formats import FP8, NUMPY, Array, f32_to_tf32, is_float, size_of
from kernels.ptxsim.registry import Action, instruction
from kernels.ptxsim.values import value_reader, value_writer

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

_TO_WHOLE = {"rni": np.rint, "rzi": np.trunc, "rmi": np.floor, "rpi": np.ceil}


@instruction("cvt")
def convert(found: Instruction) -> Action:
    """One conversion; the last two parts of the opcode are the types, destination first."""
    target, source = found.opcode[-2:]
    found.only(target, "rn", "rz", "rna", "ftz", "sat", "relu", "satfinite", *_TO_WHOLE)
    if source == "f32" and target in ("f16x2", "bf16x2"):
        return _pack(found, target)
    if source in ("e4m3x2", "e5m2x2"):
        return _unpack_fp8(found, target, source)
    if target in ("e4m3x2", "e5m2x2") or found.has("satfinite"):
        raise Unimplemented(f"cvt to {target}")
    if target == "tf32":
        if not found.has("rna"):
            raise Unimplemented("cvt to tf32 without .rna")
        read, write = found.operands[1].reader("f32"), found.operands[0].writer()
        return lambda block, mask: write(block, f32_to_tf32(read(block)), mask)
    if is_float(source) and not is_float(target):
        return _float_to_integer(found, target, source)
    return _to_float_or_same(found, target, source)


def _pack(found: Instruction, target: str) -> Action:
    """Two float32 to a pair; the first source becomes the upper half."""
    if found.has("rz", "sat"):
        raise Unimplemented("cvt of a pair with .rz or .sat")
    high, low = (operand.reader("f32") for operand in found.operands[1:3])
    write, relu = value_writer(found.operands[0], target), found.has("relu")

    def act(block: Block, mask: Array) -> None:
        pair = np.stack([low(block), high(block)], 1)
        write(block, np.maximum(pair, 0) if relu else pair, mask)

    return act


def _unpack_fp8(found: Instruction, target: str, source: str) -> Action:
    if target != "f16x2":
        raise Unimplemented(f"cvt {source} to {target}")
    table = FP8[source[:4]]
    read, write = found.operands[1].reader("b16"), value_writer(found.operands[0], target)

    def act(block: Block, mask: Array) -> None:
        pairs = np.ascontiguousarray(read(block)).view(np.uint8).reshape(-1, 2)
        write(block, table[pairs], mask)

    return act


def _float_to_integer(found: Instruction, target: str, source: str) -> Action:
    """Rounded as asked and clipped to the range; NaN becomes 0."""
    mode = next((name for name in _TO_WHOLE if found.has(name)), None)
    if mode is None:
        raise Unimplemented("cvt to an integer without a rounding mode")
    round_to, limits = _TO_WHOLE[mode], np.iinfo(NUMPY[target])
    read, write = value_reader(found.operands[1], source), found.operands[0].writer()
    # The largest 64-bit integers are not floats: what reaches them is set apart.
    lowest, highest = float(limits.min), float(limits.max)

    def act(block: Block, mask: Array) -> None:
        whole = np.nan_to_num(
            round_to(read(block).astype(np.float64)), posinf=np.inf, neginf=-np.inf
        )
        inside = np.clip(whole, lowest, np.nextafter(highest, 0.0) if highest >= 2**53 else highest)
        result = np.where(whole >= highest, limits.max, inside.astype(NUMPY[target]))
        write(block, result.astype(NUMPY[target]), mask)

    return act


def _to_float_or_same(found: Instruction, target: str, source: str) -> Action:
    read = value_reader(found.operands[1], source)
    write = value_writer(found.operands[0], target)
    to_whole = next((_TO_WHOLE[name] for name in _TO_WHOLE if found.has(name)), None)
    narrows = is_float(target) and is_float(source) and size_of(target) < size_of(source)
    towards_zero = found.has("rz") and (narrows or not is_float(source))
    if towards_zero and (target, source) != ("f16", "f32"):
        raise Unimplemented(f"cvt.rz from {source} to {target}")
    if found.has("sat") and not is_float(target):
        raise Unimplemented(f"cvt.sat from {source} to {target}")
    sat, relu = found.has("sat"), found.has("relu")

    def act(block: Block, mask: Array) -> None:
        value = read(block)
        if to_whole is not None:
            value = to_whole(value)
        if sat:
            value = np.clip(value, 0, 1)
        if relu:
            value = np.maximum(value, 0)
        if towards_zero:
            value = _f16_towards_zero(value)
        write(block, value, mask)

    return act


def _f16_towards_zero(value: Array) -> Array:
    nearest = value.astype(np.float16)
    over = np.abs(nearest.astype(np.float32)) > np.abs(value)
    return np.where(over, np.nextafter(nearest, np.float16(0)), nearest)
