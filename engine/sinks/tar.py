"""Tar members for many samples at once, the same bytes every time (POSIX.1-2017 ustar format).

Headers of a block are filled in as one array. `tarfile` takes ten times as long, and for the three
members of a sample longer than a fast encoder for a small JPEG. Owner, mode and date are fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BLOCK_BYTES = 512
# Archives are padded to whole records, as `tar` and `tarfile` do.
_RECORD_BYTES = 20 * BLOCK_BYTES
_NAME_BYTES = 100
_SIZE = slice(124, 135)
_CHECKSUM = slice(148, 154)
_PADDING = tuple(bytes(count) for count in range(BLOCK_BYTES))

Bytes = npt.NDArray[np.uint8]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Members:
    """Consecutive members of an archive as bytes; where each one's content lies in them.

    offsets, sizes: [samples, kinds] int64, from the beginning of `data`.
    """

    data: bytes
    offsets: Numbers
    sizes: Numbers


def pack(first: int, digits: int, contents: Sequence[tuple[str, Sequence[bytes]]]) -> Members:
    """Members of samples first, first + 1, ...: of each sample one for each kind, in turn.

    contents: for each kind the extension of its members and their bytes, sample by sample. Members
    are named INDEX.EXTENSION with so many digits.
    """
    count = len(contents[0][1])
    index = np.arange(first, first + count)
    sizes = np.array([[len(data) for data in items] for _, items in contents], np.int64).T
    headers = [
        _headers(index, digits, extension, sizes[:, kind]).tobytes()
        for kind, (extension, _) in enumerate(contents)
    ]
    parts: list[bytes] = []
    for row in range(count):
        place = slice(row * BLOCK_BYTES, (row + 1) * BLOCK_BYTES)
        for kind, (_, items) in enumerate(contents):
            data = items[row]
            parts += headers[kind][place], data, _PADDING[-len(data) % BLOCK_BYTES]
    taken = BLOCK_BYTES + sizes + -sizes % BLOCK_BYTES
    ends = taken.cumsum().reshape(taken.shape)
    return Members(b"".join(parts), ends - taken + BLOCK_BYTES, sizes)


def trailer(length: int) -> bytes:
    """What ends an archive whose members take `length` bytes: two empty blocks, a full record."""
    closed = length + 2 * BLOCK_BYTES
    return bytes(2 * BLOCK_BYTES + -closed % _RECORD_BYTES)


def _headers(index: Numbers, digits: int, extension: str, sizes: Numbers) -> Bytes:
    """Headers [n, 512] of members INDEX.EXTENSION."""
    template = np.frombuffer(_template(f"{'0' * digits}.{extension}"), np.uint8)
    headers = np.tile(template, (len(index), 1))
    headers[:, :digits] = _digits(index, 10, digits)
    headers[:, _SIZE] = _digits(sizes, 8, 11)
    headers[:, _CHECKSUM] = _digits(headers.sum(axis=1, dtype=np.int64), 8, 6)
    return headers


def _template(name: str) -> bytes:
    """A header with everything but the size; the checksum counts as spaces while it is made."""
    fields = (
        name.encode("ascii").ljust(_NAME_BYTES, b"\0"),
        b"0000644\0",
        b"0000000\0" * 2,
        b"0" * 11 + b"\0",
        b"0" * 11 + b"\0",
        b" " * 8,
        b"0",
        bytes(100),
        b"ustar\00000",
    )
    return b"".join(fields).ljust(BLOCK_BYTES, b"\0")


def _digits(values: Numbers, base: int, count: int) -> Bytes:
    """ASCII digits [n, count] of values >= 0 [n], with leading zeros."""
    powers = base ** np.arange(count - 1, -1, -1, dtype=np.int64)
    return (values[:, None] // powers % base + ord("0")).astype(np.uint8)
