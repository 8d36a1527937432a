"""Matrices in shared memory as wgmma and tcgen05.mma read them, by a 64-bit descriptor.

Fields (PTX ISA, "Matrix descriptor format"): start address bits 0-13, leading and stride byte
offsets bits 16-29 and 32-45, all in units of 16 bytes; swizzle mode bits 62-63. tcgen05's base
offset, and its swizzle with 32-byte atoms, are not implemented.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.formats import Array

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block

# Bytes of a row of the swizzle pattern, and its exchanged bits, by mode: none, 128, 64, 32 bytes.
_ROW_BYTES = {0: 16, 1: 128, 2: 64, 3: 32}
_EXCHANGED = {1: 7, 2: 3, 3: 1}


@lru_cache(maxsize=4096)
def places(descriptor: int, rows: int, depth: int, element_bytes: int, major: bool) -> Array:
    """Shared bytes [rows, depth, element] of an operand with `rows` of M or N; read-only.

    major: M or N is contiguous, otherwise K is.
    """
    start = (descriptor & 0x3FFF) << 4
    leading = (descriptor >> 16 & 0x3FFF) << 4
    stride = (descriptor >> 32 & 0x3FFF) << 4
    mode = descriptor >> 62
    if (descriptor >> 49 & 7 and mode) or descriptor >> 61 & 1:
        raise Unimplemented("matrix descriptors with a base offset or 32-byte swizzle atoms")
    row, column = np.arange(rows)[:, None], np.arange(depth)
    width, size = _ROW_BYTES[mode], element_bytes
    if major:
        line = width // size
        if mode:
            linear = row // line * leading + column // 8 * stride
        else:
            linear = row // line * stride + column // 8 * leading
        linear = start + linear + column % 8 * width + row % line * size
    elif mode:
        linear = start + row // 8 * stride + row % 8 * width + column * size
    else:
        linear = start + row // 8 * stride + row % 8 * 16
        linear = linear + column * size // 16 * leading + column * size % 16
    if mode:
        linear = linear ^ ((linear >> 7 & _EXCHANGED[mode]) << 4)
    found: Array = linear[..., None] + np.arange(size)
    found.flags.writeable = False
    return found


@dataclass(frozen=True)
class Fetched:
    """An operand as it was when an engine began to read it: places, units of bookkeeping, bytes."""

    places: Array
    units: Array
    taken: Array

    def changed(self, block: Block) -> bool:
        """Whether its bytes are others by now."""
        return bool((block.shared.data[self.places] != self.taken).any())


@lru_cache(maxsize=4096)
def _units(unit: int, descriptor: int, rows: int, depth: int, size: int, major: bool) -> Array:
    return np.unique(places(descriptor, rows, depth, size, major) // unit)[None]


def fetch(
    block: Block, warp: int, descriptor: int, rows: int, depth: int, size: int, major: bool
) -> Fetched:
    """An operand in shared memory, read by an asynchronous engine on behalf of a warp."""
    found = places(descriptor, rows, depth, size, major)
    if found.max() >= block.shared.size:
        raise SimulationError("matrix operand out of the bounds of shared memory")
    units = _units(block.shared.unit, descriptor, rows, depth, size, major)
    block.shared.async_read(units, warp)
    return Fetched(found, units, block.shared.data[found])
