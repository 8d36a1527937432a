"""Random numbers of the library: the words of `kernels.philox`, and what it makes of them.

Words and uniforms have the bits of numpy's path. Normals are made in float64 and rounded once, as
there, but for the last place of float64: one element in some 10^8 is rounded the other way.
"""

from __future__ import annotations

import ctypes
import functools
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.native import library


class Kind(IntEnum):
    """What the words become (gk_random_kind)."""

    WORDS = 0
    UNIFORMS = 1
    NORMALS = 2
    TRUNCATED_NORMALS = 3


@functools.cache
def available() -> bool:
    """Whether the library is there; asked once."""
    return library.unavailable() is None


def numbers(
    kind: Kind,
    seed: int,
    start: int,
    count: int,
    size: int,
    stream: int = 0,
    *,
    truncation: float = 0.0,
    instruction_set: str | None = None,
) -> NDArray[Any]:
    """Numbers of samples start .. start + count: [count, size], uint32 words or else float32.

    Every instruction set gives the same bits. Raises ValueError for one that does not run here,
    and what `kernels.native.library.load` raises.
    """
    loaded = _library()
    out = np.empty((count, size), np.uint32 if kind == Kind.WORDS else np.float32)
    name = None if instruction_set is None else instruction_set.encode()
    status = loaded.gk_random(
        kind, seed, start, count, size, stream, truncation, name, out.ctypes.data
    )
    if status < 0:
        raise ValueError(loaded.gk_error().decode())
    return out


@functools.cache
def _library() -> ctypes.CDLL:
    # To look where it lies takes longer than the numbers of one sample.
    return library.load()
