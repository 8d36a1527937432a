"""Philox4x32-10: random words as a pure function of (seed, sample, element, stream).

    key     = (seed low, seed high)
    counter = (block, sample low, sample high, stream)

Block b of sample i gives its elements 4b .. 4b + 3. Nothing is carried from one call to the next,
so any sample can be made alone, in any order, on any machine.

Words become uniforms and normals as in Triton's `uint_to_uniform_float` and
`pair_uniform_to_normal`. Products and sums are the same float32 operations; logarithm, sine and
cosine are taken in float64 and rounded once, so that the math library of the machine does not show
in the bits (but for results within 1e-9 of a rounding boundary).

Where the native library is, it makes all of them (`kernels.native.random`).

Source: Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3 (SC 2011).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kernels.native import random

Words = NDArray[np.uint32]
Floats = NDArray[np.float32]

# Of counter words 2 and 0, in the order in which they are worked on.
_MULTIPLIERS = np.array([0xCD9E8D57, 0xD2511F53], np.uint64)
_WEYL_0 = 0x9E3779B9
_WEYL_1 = 0xBB67AE85
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ROUNDS = 10

# The 2^31 folded values map into [0, 1 - 2^-24]; the factor is Triton's.
_TO_UNIFORM = np.float32(4.6566127342e-10)
_SMALLEST_UNIFORM = np.float32(1.0e-7)
_TWO_PI = np.float32(6.283185307179586)

# Counters worked on at once: their six uint64 columns stay within a 1 MiB second-level cache.
_CHUNK_COUNTERS = 16384


def philox4x32(counter: Words, key: tuple[int, int]) -> Words:
    """Ten rounds of Philox4x32: counter [..., 4] uint32 -> random words [..., 4] uint32."""
    # Columns (2, 0) and (1, 3) take the same steps: few calls, which is what one sample costs.
    columns = np.moveaxis(counter, -1, 0).astype(np.uint64)
    even, odd = columns[[2, 0]], columns[[1, 3]]
    shape = (2, *(1,) * (counter.ndim - 1))
    multipliers = _MULTIPLIERS.reshape(shape)
    for keys in _round_keys(key):
        product = even * multipliers
        mixed = product >> _HALF
        mixed ^= odd
        mixed ^= keys.reshape(shape)
        product &= _LOW
        # What was made of column 2 is the new column 0, and the other way round.
        even, odd = mixed[::-1], product
    return np.stack([even[1], odd[0], even[0], odd[1]], axis=-1).astype(np.uint32)


@functools.lru_cache(maxsize=16)
def _round_keys(key: tuple[int, int]) -> tuple[NDArray[np.uint64], ...]:
    """The keys [2] of every round: each grows by a Weyl sequence."""
    rounds = range(_ROUNDS)
    words = [
        [(key[0] + n * _WEYL_0) & 0xFFFFFFFF, (key[1] + n * _WEYL_1) & 0xFFFFFFFF] for n in rounds
    ]
    return tuple(np.array(words, np.uint64))


def words(seed: int, start: int, count: int, size: int, stream: int = 0) -> Words:
    """Random words of samples start .. start + count: [count, size] uint32.

    seed and sample numbers are 64-bit, stream is 32-bit; ValueError outside.
    """
    check(seed, start, count, size, stream)
    if random.available():
        return random.numbers(random.Kind.WORDS, seed, start, count, size, stream)
    out = np.empty((count, size), np.uint32)
    for rows, block in _chunks(seed, start, count, size, stream):
        out[rows] = block[:, :size]
    return out


def block_words(seed: int, start: int, count: int, block: int, stream: int = 0) -> Words:
    """Elements 4 * block .. + 4 of samples start .. start + count: [count, 4] uint32.

    Numbers and errors as `words`.
    """
    check(seed, start, count, 4 * block + 4, stream)
    sample = np.uint64(start) + np.arange(count, dtype=np.uint64)
    return philox4x32(_counters(sample, np.array([block]), stream)[:, 0], _key(seed))


def uniform(seed: int, start: int, count: int, size: int, stream: int = 0) -> Floats:
    """Uniform numbers in [0, 1): [count, size] float32."""
    check(seed, start, count, size, stream)
    if random.available():
        return random.numbers(random.Kind.UNIFORMS, seed, start, count, size, stream)
    return to_uniform(words(seed, start, count, size, stream))


def normal(seed: int, start: int, count: int, size: int, stream: int = 0) -> Floats:
    """Standard normal numbers: [count, size] float32 (Box, Muller 1958)."""
    check(seed, start, count, size, stream)
    if random.available():
        return random.numbers(random.Kind.NORMALS, seed, start, count, size, stream)
    out = np.empty((count, size), np.float32)
    for rows, block in _chunks(seed, start, count, size, stream):
        out[rows] = to_normal(to_uniform(block))[:, :size]
    return out


def integers(seed: int, start: int, count: int, bound: int, stream: int = 0) -> NDArray[np.int64]:
    """One integer in [0, bound) a sample, by multiply-shift of its first word: [count] int64."""
    if not 0 < bound <= 2**32:
        raise ValueError(f"bound={bound} must be between 1 and 2**32")
    word = words(seed, start, count, 1, stream)[:, 0].astype(np.uint64)
    if bound == 2**32:
        return word.astype(np.int64)
    return ((word * np.uint64(bound)) >> _HALF).astype(np.int64)


def to_uniform(word: Words) -> Floats:
    """Words -> float32 in [0, 1), as Triton's `uint_to_uniform_float`: same shape."""
    return folded(word).astype(np.float32) * _TO_UNIFORM


def folded(word: Words) -> NDArray[np.int32]:
    """Words -> the 31-bit integers that `to_uniform` scales: same shape, int32 >= 0."""
    signed = word.view(np.int32)
    return np.where(signed < 0, ~signed, signed)


def to_normal(uniforms: Floats) -> Floats:
    """Pairs of uniforms -> pairs of normals: [..., even] float32, same shape."""
    radius_source = np.maximum(uniforms[..., 0::2], _SMALLEST_UNIFORM).astype(np.float64)
    angle = (uniforms[..., 1::2] * _TWO_PI).astype(np.float64)
    radius = np.sqrt(-2.0 * np.log(radius_source))
    out = np.empty(uniforms.shape, np.float32)
    out[..., 0::2] = radius * np.cos(angle)
    out[..., 1::2] = radius * np.sin(angle)
    return out


def _chunks(
    seed: int, start: int, count: int, size: int, stream: int
) -> Iterator[tuple[slice, Words]]:
    """Row ranges and their words [rows, 4 * blocks], a bounded number of counters at a time."""
    blocks = -(-size // 4)
    step = max(1, _CHUNK_COUNTERS // max(1, blocks))
    for first in range(0, count, step):
        rows = min(step, count - first)
        sample = np.uint64(start + first) + np.arange(rows, dtype=np.uint64)
        counter = _counters(sample, np.arange(blocks), stream)
        block = philox4x32(counter, _key(seed)).reshape(rows, blocks * 4)
        yield slice(first, first + rows), block


def _counters(sample: NDArray[np.uint64], block: NDArray[np.int64], stream: int) -> Words:
    """Counters [samples, blocks, 4]."""
    counter = np.empty((len(sample), len(block), 4), np.uint32)
    counter[..., 0] = block.astype(np.uint32)
    counter[..., 1] = (sample & _LOW).astype(np.uint32)[:, None]
    counter[..., 2] = (sample >> _HALF).astype(np.uint32)[:, None]
    counter[..., 3] = stream
    return counter


def _key(seed: int) -> tuple[int, int]:
    return seed & 0xFFFFFFFF, seed >> 32


def check(seed: int, start: int, count: int, size: int, stream: int) -> None:
    """Raise ValueError for numbers that the counter or the key cannot hold."""
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed={seed} must be between 0 and 2**64 - 1")
    if count < 0 or start < 0 or start + count > 2**64:
        raise ValueError(f"samples {start} to {start + count} must lie between 0 and 2**64")
    if not 0 <= size <= 2**34:
        raise ValueError(f"size={size} must be between 0 and 2**34 elements a sample")
    if not 0 <= stream < 2**32:
        raise ValueError(f"stream={stream} must be between 0 and 2**32 - 1")
