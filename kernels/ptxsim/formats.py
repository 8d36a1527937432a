"""PTX types as numpy types, and the float formats that numpy lacks (bf16, fp8)."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]

# The numpy type that has a PTX type's arithmetic. bf16 and packed types travel as their bits.
NUMPY: dict[str, Any] = {
    **{f"u{bits}": np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64)},
    **{f"b{bits}": np.dtype(f"uint{bits}") for bits in (8, 16, 32, 64)},
    **{f"s{bits}": np.dtype(f"int{bits}") for bits in (8, 16, 32, 64)},
    **{f"f{bits}": np.dtype(f"float{bits}") for bits in (16, 32, 64)},
    **{name: np.dtype(np.uint32) for name in ("f16x2", "bf16x2", "s16x2", "u16x2")},
    **{name: np.dtype(np.uint16) for name in ("bf16", "e4m3x2", "e5m2x2")},
    "f32x2": np.dtype(np.uint64),
    "pred": np.dtype(np.bool_),
}
UNSIGNED = {size: np.dtype(f"uint{8 * size}") for size in (1, 2, 4, 8)}
SIGNED = {size: np.dtype(f"int{8 * size}") for size in (1, 2, 4, 8)}


def size_of(kind: str) -> int:
    """Bytes of a PTX type."""
    return int(NUMPY[kind].itemsize)


def is_float(kind: str) -> bool:
    """Whether a PTX type holds floating-point numbers, packed or not."""
    return "f" in kind or kind[0] == "e"


def bf16_to_f32(bits: Array) -> Array:
    """Values of bfloat16 numbers given as uint16."""
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def f32_to_bf16(values: Array) -> Array:
    """Bits of bfloat16, rounded to nearest even; NaN becomes 0x7fff."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    half = np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))
    rounded = ((bits + half) >> np.uint32(16)).astype(np.uint16)
    return np.where(np.isnan(values), np.uint16(0x7FFF), rounded)


def f32_to_tf32(values: Array) -> Array:
    """Bits of float32 numbers rounded to tf32's 10-bit mantissa, half away from zero."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return (bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)


def _fp8_table(exponent_bits: int, mantissa_bits: int, bias: int, finite: bool) -> Array:
    """Value of each byte. `finite`: no infinities, and only the largest pattern is NaN (e4m3)."""
    table = np.zeros(256, np.float32)
    for byte in range(256):
        exponent = (byte >> mantissa_bits) & ((1 << exponent_bits) - 1)
        mantissa = byte & ((1 << mantissa_bits) - 1)
        fraction = mantissa / 2**mantissa_bits
        if finite and byte & 127 == 127:
            value = float("nan")
        elif not finite and exponent == 31:
            value = float("nan") if mantissa else float("inf")
        elif exponent == 0:
            value = fraction * 2.0 ** (1 - bias)
        else:
            value = (1 + fraction) * 2.0 ** (exponent - bias)
        table[byte] = -value if byte & 128 else value
    return table


FP8 = {"e4m3": _fp8_table(4, 3, 7, True), "e5m2": _fp8_table(5, 2, 15, False)}

# Bytes of a matrix element, by the type names of mma, wgmma and tcgen05.
ELEMENT_BYTES = {"f16": 2, "bf16": 2, "tf32": 4, "e4m3": 1, "e5m2": 1, "s8": 1, "u8": 1}


def matrix_values(raw: Array, kind: str) -> Array:
    """float64 values of contiguous matrix elements (last axis reinterpreted, so it grows)."""
    if kind == "f16":
        return raw.view(np.float16).astype(np.float64)
    if kind == "bf16":
        return bf16_to_f32(raw.view(np.uint16)).astype(np.float64)
    if kind == "tf32":
        return (raw.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64)
    if kind in ("s8", "u8"):
        return raw.view(np.int8 if kind == "s8" else np.uint8).astype(np.float64)
    return FP8[kind][raw.view(np.uint8)].astype(np.float64)
