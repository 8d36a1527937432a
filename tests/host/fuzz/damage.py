"""Damage to a file's bytes, drawn from a seed: cuts, flips, runs, lengths blown up, swaps."""

from __future__ import annotations

import random
import re
import struct
from collections.abc import Callable

Damage = Callable[[bytes, random.Random], bytes]

_TEXT = re.compile(rb"[\x20-\x7e\n]{8,}")
_NUMBER = re.compile(rb"\d+")
_LENGTHS = (0, 1, 0x7F, 0xFF, 0xFFFF, 1 << 31, (1 << 31) - 1, (1 << 32) - 1, 1 << 40, (1 << 63) - 1)
_NUMBERS = (b"0", b"-1", b"99999999", b"4294967296", b"9223372036854775807", b"1e999", b"1.5")


def place(data: bytes, draw: random.Random) -> int:
    """A byte of the header, of the text that a file holds, of its end, or anywhere."""
    regions = [(0, 64), (0, 1024), (len(data) - 64, len(data)), (len(data) - 1024, len(data))]
    regions += [(0, len(data))] * 2
    texts = [found.span() for found in _TEXT.finditer(data)]
    if texts:
        regions += [draw.choice(texts)] * 2
    start, end = draw.choice(regions)
    return min(max(draw.randrange(start, end), 0), len(data) - 1)


def cut(data: bytes, draw: random.Random) -> bytes:
    """The beginning alone; often nearly all of it, or nearly nothing."""
    return data[: draw.choice((draw.randrange(len(data)), place(data, draw)))]


def flip(data: bytes, draw: random.Random) -> bytes:
    """One bit."""
    damaged = bytearray(data)
    damaged[place(data, draw)] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def run(data: bytes, draw: random.Random) -> bytes:
    """Up to 4096 bytes of zeros, ones, or anything."""
    at, size = place(data, draw), draw.choice((1, 2, 4, 8, 64, 4096))
    size = min(size, len(data) - at)
    run = draw.choice((bytes(size), b"\xff" * size, draw.randbytes(size)))
    return data[:at] + run + data[at + size :]


def length(data: bytes, draw: random.Random) -> bytes:
    """A number of 2, 4 or 8 bytes, most of them far too large."""
    kind = draw.choice(("<H", "<I", "<Q", ">I"))
    size = struct.calcsize(kind)
    at = min(place(data, draw), max(len(data) - size, 0))
    value = draw.choice(_LENGTHS) & ((1 << 8 * size) - 1)
    return data[:at] + struct.pack(kind, value) + data[at + size :]


def number(data: bytes, draw: random.Random) -> bytes:
    """A number written as text, replaced by one of any length."""
    found = [match.span() for match in _NUMBER.finditer(data)]
    texts = [match.span() for match in _TEXT.finditer(data)]
    inside = [(a, b) for a, b in found if any(start <= a and b <= end for start, end in texts[:50])]
    if not inside:
        return flip(data, draw)
    start, end = draw.choice(inside)
    return data[:start] + draw.choice(_NUMBERS) + data[end:]


def swap(data: bytes, draw: random.Random) -> bytes:
    """Two sections change places."""
    size = min(draw.choice((4, 16, 64, 256, 1024)), len(data) // 2)
    first = min(place(data, draw), len(data) - 2 * size)
    second = draw.randrange(first + size, len(data) - size + 1)
    between = data[first + size : second]
    return (
        data[:first]
        + data[second : second + size]
        + between
        + data[first : first + size]
        + data[second + size :]
    )


def slip(data: bytes, draw: random.Random) -> bytes:
    """Bytes lost, or written twice."""
    at, size = place(data, draw), draw.choice((1, 4, 64))
    return data[:at] + data[at + size :] if draw.random() < 0.5 else data[: at + size] + data[at:]


DAMAGES: tuple[Damage, ...] = (cut, flip, run, length, number, swap, slip)


def damaged(data: bytes, draw: random.Random) -> bytes:
    """One kind of damage, now and then several; never the data itself."""
    result = data
    while result == data:
        for _ in range(draw.choice((1, 1, 1, 4))):
            result = draw.choice(DAMAGES)(result, draw) if result else result
    return result
