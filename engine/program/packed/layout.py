"""Where everything lies in a `.gen` file; sizes in bytes, numbers little-endian.

    0   magic       8   tells text transfers apart as PNG's does
    8   version     4
    12  zero        4
    16  header size 8
    24  data size   8
    32  SHA-256    32   of bytes 0 .. 32 and of everything between here and the data
    64  header          JSON, then zeros up to a multiple of 64
    ..  data            arrays, each at a multiple of 64, zeros between them

The header holds the SHA-256 of the data. So one hash or the other covers every byte of the file.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from reprlib import repr as brief

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ArtifactError

MAGIC = b"\x89GEN\r\n\x1a\n"
VERSION = 1
ALIGNMENT = 64
PREFIX = struct.Struct("<8sIIQQ")
HASH_BYTES = 32
HEADER_START = PREFIX.size + HASH_BYTES

# The largest header seen is a hundredth of this; more is damage, and would be read into memory.
LARGEST_HEADER = 16 << 20
_MOST_AXES = 8

STORED_TYPES: Mapping[str, np.dtype[np.floating]] = {
    "float32": np.dtype("<f4"),
    "float16": np.dtype("<f2"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One array in the data: type, shape, offset in bytes from the start of the data."""

    dtype: str
    shape: tuple[int, ...]
    offset: int

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self.elements * STORED_TYPES[self.dtype].itemsize


def aligned(size: int) -> int:
    """The next multiple of 64."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def place(arrays: Iterable[NDArray[np.floating]]) -> tuple[Entry, ...]:
    """One array after the other, each at the first free multiple of 64."""
    entries: list[Entry] = []
    end = 0
    for array in arrays:
        entries.append(Entry(array.dtype.name, array.shape, end))
        end = aligned(end + entries[-1].size)
    return tuple(entries)


def data_size(entries: tuple[Entry, ...]) -> int:
    """Bytes of the data with these arrays."""
    return aligned(entries[-1].offset + entries[-1].size) if entries else 0


def read_entries(values: object, size: int) -> tuple[Entry, ...]:
    """The array table of a header, which must be the one that `place` makes.

    An offset has one right value, so that arrays can neither overlap nor leave gaps nor reach out
    of the file. Raises ArtifactError.
    """
    if not isinstance(values, list):
        raise ArtifactError("the header's array table is no list")
    entries: list[Entry] = []
    end = 0
    for number, value in enumerate(values):
        match value:
            case {"dtype": str(dtype), "shape": list(shape), "offset": int(offset)} if (
                dtype in STORED_TYPES
                and len(shape) <= _MOST_AXES
                and all(type(length) is int and 0 <= length <= size for length in shape)
            ):
                entry = Entry(dtype, tuple(shape), offset)
            case _:
                raise ArtifactError(
                    f"the header's entry of array {number} is damaged: {brief(value)}"
                )
        if offset != end:
            raise ArtifactError(f"array {number} is said to lie at {offset} instead of {end}")
        end = aligned(end + entry.size)
        if end > size:
            raise ArtifactError(
                f"array {number} of shape {list(shape)} reaches beyond the data's {size} bytes"
            )
        entries.append(entry)
    if end != size:
        raise ArtifactError(f"the arrays take {end} bytes, the data has {size}")
    return tuple(entries)
