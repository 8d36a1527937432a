"""The header of a `.npy` array, read without believing it.

magic (6), version (2), length of the header (2 bytes, or 4 from version 2 on), and a Python literal
{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } padded with spaces. Numbers and text are
read; structures and objects, which are pickles, are refused. numpy's own reader evaluates the
literal, and fails over a damaged one with errors of any kind.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from engine.core.errors import ArtifactError

_MAGIC = b"\x93NUMPY"
_LARGEST_HEADER = 1 << 16
_MOST_AXES = 32
_MOST_ELEMENTS = 1 << 48
_ITEM = re.compile(r"'(\w+)' *: *('[^']*'|True|False|\([^()]*\))")
# Python 2 wrote (3L, 4L).
_SHAPE = re.compile(r"\((?:\d{1,18}L?(?:, *|(?=\))))*\)")
_NUMBERS = re.compile(r"[<>|=]?[biufcSU]\d{1,9}")


class Stream(Protocol):
    """What bytes are read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a `.npy` array says about itself; `size` is that of the header, in bytes."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran_order: bool
    size: int

    @property
    def data_bytes(self) -> int:
        """Bytes of the elements that follow the header."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_header(stream: Stream) -> Header:
    """The header at the beginning of a stream. Raises ArtifactError."""
    start = stream.read(8)
    if len(start) < 8 or not start.startswith(_MAGIC):
        raise ArtifactError("not a .npy array")
    if start[6] not in (1, 2, 3):
        raise ArtifactError(f".npy of version {start[6]}.{start[7]}; known are 1.0, 2.0 and 3.0")
    width = 2 if start[6] == 1 else 4
    prefix = stream.read(width)
    length = int.from_bytes(prefix, "little")
    text = stream.read(min(length, _LARGEST_HEADER))
    if len(prefix) < width or len(text) < length:
        raise ArtifactError(f"its .npy header of {length} bytes is cut short, or damaged")
    items = dict(_ITEM.findall(text.decode("latin-1")))
    if items.keys() != {"descr", "fortran_order", "shape"}:
        raise ArtifactError(f"its .npy header is damaged, or not of numbers: {text[:80]!r}")
    return Header(
        dtype=_dtype(items["descr"].strip("'")),
        shape=_shape(items["shape"]),
        fortran_order=items["fortran_order"] == "True",
        size=8 + width + length,
    )


def _dtype(name: str) -> np.dtype[Any]:
    if name.strip("|<>=").startswith("O"):
        raise ArtifactError("holds Python objects, pickled; those are never executed")
    try:
        dtype = np.dtype(name) if _NUMBERS.fullmatch(name) else None
    except (TypeError, ValueError):
        dtype = None
    if dtype is None or dtype.itemsize == 0:
        raise ArtifactError(f"has elements of type {name!r}, which are neither numbers nor text")
    return dtype


def _shape(text: str) -> tuple[int, ...]:
    lengths = re.findall(r"\d+", text) if _SHAPE.fullmatch(text) else None
    shape = tuple(int(length) for length in lengths or ())
    # Beside a length of 0 others may be anything, and numpy multiplies them all the same.
    elements = math.prod(max(length, 1) for length in shape)
    if lengths is None or len(shape) > _MOST_AXES or elements >= _MOST_ELEMENTS:
        raise ArtifactError(f"its .npy header speaks of the shape {text[:80]!r}")
    return shape
