"""Numbers of packed and small float types: operands as values, results as bits.

Pairs (f16x2, bf16x2, s16x2, u16x2, f32x2) are [threads, 2], the low half first; bf16 is float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kernels.ptxsim.formats import NUMPY, Array, bf16_to_f32, f32_to_bf16
from kernels.ptxsim.operands import Operand, Reader, Writer

_PAIRS: dict[str, Any] = {
    "s16x2": np.int16,
    "u16x2": np.uint16,
    "f16x2": np.float16,
    "f32x2": np.float32,
}


def value_reader(operand: Operand, kind: str) -> Reader:
    """A function that reads an operand as numbers to calculate with."""
    read = operand.reader(kind)
    if kind == "bf16":
        return lambda block: bf16_to_f32(read(block))
    if kind == "bf16x2":
        return lambda block: bf16_to_f32(_halves(read(block), np.uint16))
    if kind == "f16x2":
        return lambda block: _halves(read(block), np.float16).astype(np.float32)
    if kind in _PAIRS:
        dtype = _PAIRS[kind]
        return lambda block: _halves(read(block), dtype)
    return read


def value_writer(operand: Operand, kind: str) -> Writer:
    """A function that writes numbers, rounded to the type."""
    write, dtype = operand.writer(), NUMPY[kind]
    if kind == "bf16":
        return lambda block, values, mask: write(block, f32_to_bf16(values), mask)
    if kind == "bf16x2":
        return lambda block, values, mask: write(block, _joined(f32_to_bf16(values), dtype), mask)
    if kind in _PAIRS:
        part = _PAIRS[kind]
        return lambda block, values, mask: write(block, _joined(values.astype(part), dtype), mask)
    return lambda block, values, mask: write(block, values.astype(dtype, copy=False), mask)


def _halves(bits: Array, dtype: Any) -> Array:
    halves: Array = np.ascontiguousarray(bits).view(dtype).reshape(-1, 2)
    return halves


def _joined(pairs: Array, dtype: Any) -> Array:
    joined: Array = np.ascontiguousarray(pairs).view(dtype)[:, 0]
    return joined
