"""add, sub, mul, mad, fma, min, max, div, rem, neg, abs and the special functions.

Floats are calculated in their own type or a wider one and rounded once. Approximations (ex2, lg2,
rsqrt ...) give the rounded exact result: closer than a GPU's, never further away.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.ptxsim.errors import Unimplemented
from kernels.ptxsim.formats import NUMPY, Array, is_float, size_of
from kernels.ptxsim.registry import Action, instruction
from kernels.ptxsim.values import value_reader, value_writer

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

# Rounding to nearest even is what numpy does; flushing of denormals is left out.
_PLAIN = ("rn", "ftz", "approx", "full", "lo")


def _fold(found: Instruction, function: Callable[..., Any], *modifiers: str) -> Action:
    """function(a, b), and again with each further source."""
    kinds, target = _kinds(found, *modifiers)
    reads = [value_reader(*pair) for pair in zip(found.operands[1:], kinds, strict=False)]
    write = value_writer(found.operands[0], target)

    def act(block: Block, mask: Array) -> None:
        result = reads[0](block)
        for read in reads[1:]:
            result = function(result, read(block))
        write(block, result, mask)

    return act


def _kinds(found: Instruction, *modifiers: str) -> tuple[list[str], str]:
    """Types of the sources and of the destination.

    Mixed forms (fma.rn.f32.f16) have a half type in all sources but the last.
    """
    sources = len(found.operands) - 1
    if found.opcode[-2] == "f32" and found.kind in ("f16", "bf16"):
        found.only("f32", *_PLAIN, *modifiers)
        return [found.kind] * (sources - 1) + ["f32"], "f32"
    found.only(*_PLAIN, *modifiers)
    return [found.kind] * sources, found.kind


@instruction("add", "sub")
def add(found: Instruction) -> Action:
    """Sums and differences; integers wrap."""
    return _fold(found, np.add if found.name == "add" else np.subtract)


@instruction("min", "max")
def extreme(found: Instruction) -> Action:
    """The smaller or larger; without .NaN a number wins over NaN."""
    names = ("minimum", "maximum") if found.has("NaN") else ("fmin", "fmax")
    name = names[found.name == "max"]
    return _fold(found, getattr(np, name), "NaN")


@instruction("div")
def divide(found: Instruction) -> Action:
    """Floats, and integers truncated towards zero (by zero: unspecified, here as by one)."""
    if is_float(found.kind):
        return _fold(found, np.divide)
    return _fold(found, lambda a, b: _divided(a, b)[0])


@instruction("rem")
def remainder(found: Instruction) -> Action:
    """The remainder with the dividend's sign."""
    return _fold(found, lambda a, b: _divided(a, b)[1])


def _divided(a: Array, b: Array) -> tuple[Array, Array]:
    divisor = np.where(b == 0, b.dtype.type(1), b)
    rest = np.fmod(a, divisor)
    return (a - rest) // divisor, rest


@instruction("mul")
def multiply(found: Instruction) -> Action:
    """Products: .wide of twice the width, .hi the upper half, else wrapped or rounded."""
    if found.has("wide"):
        return _multiply_wide(found)
    if found.has("hi"):
        return _fold(found, _upper_half(found.kind), "hi")
    return _fold(found, np.multiply)


@instruction("mad")
def multiply_add(found: Instruction) -> Action:
    """a * b + c of integers; .wide adds a c of twice the width."""
    if found.has("wide"):
        return _multiply_wide(found)
    if is_float(found.kind):
        return fused(found)
    first = _upper_half(found.kind) if found.has("hi") else np.multiply
    found.only("lo", "hi")
    reads = [source.reader(found.kind) for source in found.operands[1:]]
    write = found.operands[0].writer()

    def act(block: Block, mask: Array) -> None:
        a, b, c = (read(block) for read in reads)
        write(block, first(a, b) + c, mask)

    return act


def _multiply_wide(found: Instruction) -> Action:
    found.only("wide")
    wide = f"{found.kind[0]}{2 * int(found.kind[1:])}"
    dtype = NUMPY[wide]
    left, right = (source.reader(found.kind) for source in found.operands[1:3])
    addend = found.operands[3].reader(wide) if len(found.operands) > 3 else None
    write = found.operands[0].writer()

    def act(block: Block, mask: Array) -> None:
        product = left(block).astype(dtype) * right(block).astype(dtype)
        write(block, product + addend(block) if addend else product, mask)

    return act


def _upper_half(kind: str) -> Callable[[Array, Array], Array]:
    bits, dtype = 8 * size_of(kind), NUMPY[kind]
    if bits < 64:
        wide = NUMPY[f"{kind[0]}64"]
        return lambda a, b: ((a.astype(wide) * b.astype(wide)) >> wide.type(bits)).astype(dtype)
    # Python's integers have the 128 bits that numpy lacks.
    return lambda a, b: np.asarray((a.astype(object) * b.astype(object)) >> bits).astype(dtype)


@instruction("fma")
def fused(found: Instruction) -> Action:
    """a * b + c rounded once (through float64, which is wide enough for all but float64)."""
    kinds, target = _kinds(found, "relu")
    reads = [value_reader(*pair) for pair in zip(found.operands[1:], kinds, strict=True)]
    write, relu = value_writer(found.operands[0], target), found.has("relu")

    def act(block: Block, mask: Array) -> None:
        a, b, c = (read(block).astype(np.float64) for read in reads)
        result = a * b + c
        if relu:
            result = np.maximum(result, 0)
        write(block, result, mask)

    return act


def _reciprocal(value: Array) -> Array:
    inverse: Array = np.divide(value.dtype.type(1), value)
    return inverse


_UNARY: dict[str, Callable[[Array], Array]] = {
    "neg": np.negative,
    "abs": np.abs,
    "ex2": np.exp2,
    "lg2": np.log2,
    "sqrt": np.sqrt,
    "rsqrt": lambda value: _reciprocal(np.sqrt(value)),
    "rcp": _reciprocal,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
}


@instruction(*_UNARY)
def unary(found: Instruction) -> Action:
    """Functions of one number."""
    found.only(*_PLAIN)
    function = _UNARY[found.name]
    read = value_reader(found.operands[1], found.kind)
    write = value_writer(found.operands[0], found.kind)
    return lambda block, mask: write(block, function(read(block)), mask)


@instruction("copysign")
def copy_sign(found: Instruction) -> Action:
    """The second source with the first one's sign."""
    if not found.kind.startswith("f"):
        raise Unimplemented(f"copysign.{found.kind}")
    sign, size = (source.reader(found.kind) for source in found.operands[1:3])
    write = found.operands[0].writer()
    return lambda block, mask: write(block, np.copysign(size(block), sign(block)), mask)
