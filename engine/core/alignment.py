"""Arrays that begin where a cache line does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_CACHE_LINE = 64
# Smaller ones stay in the nearest cache, where it matters less than the time to align them.
_LEAST_BYTES = 1 << 16


def empty_aligned(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """`numpy.empty`, large arrays at a multiple of 64 bytes.

    numpy aligns to 16: then every vector of 64 bytes that is written meets two cache lines.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < _LEAST_BYTES:
        return np.empty(shape, dtype)
    whole = np.empty(size + _CACHE_LINE, np.uint8)
    start = -whole.ctypes.data % _CACHE_LINE
    return whole[start : start + size].view(dtype).reshape(shape)
