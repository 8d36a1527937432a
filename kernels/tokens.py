"""Tokens drawn from logits: a pure function of (seed, sample, step), the same on every machine.

    weight_j = 2^30 * 2^((logit_j - largest) * log2(e) / temperature), an integer, rounded down
    weight_j = 0 outside the top k (ties with the k-th largest all stay in)
    token    = the first j with weight_0 + ... + weight_j > word * (sum of all weights) / 2^32

word is the random word of element `step` of the sample in its own stream (kind 4 of the counter).

Only the difference and its product with the scale are floating point, one IEEE fp32 operation each;
the power of two is a polynomial in integers, and sums of integers have no order. So a Triton kernel
(`kernels.sampler`) and this file give the same tokens, not nearly the same ones. A probability is
within 2^-17 of that of softmax in real numbers, relatively, for tokens not below 2^-12 of the
largest; tokens below 2^-30 of the largest are never drawn.

A row with a NaN, and one of nothing but -inf, gives -1. Of several +inf each has the same chance.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels import philox

# The stream of token sampling: kind 4 of the counter's users.
STREAM = 4

# 2^f - 1 = f (c1 + f (c2 + ...)) on [0, 1) in units of 2^-32: minimax, to 6e-9 of 2^f, rising.
EXP2_COEFFICIENTS = (0xB17215AF, 0x3D7FAAF3, 0x0E34488A, 0x027A1724, 0x0051B593, 0x000E2A0C)
# Steps of the exponent in one power of two, and the exponent below which weights are zero.
EXPONENT_BITS = 20
LEAST_EXPONENT = -33.0

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def scale(temperature: float) -> np.float32:
    """log2(e) / temperature, the factor of the differences; infinite at temperature 0 alone.

    Raises ValueError unless temperature is finite and not negative.
    """
    if not (math.isfinite(temperature) and temperature >= 0):
        raise ValueError(f"temperature={temperature} must be 0 or a positive number")
    if temperature == 0:
        return np.float32(math.inf)
    # Below a temperature of 4e-39 it would be infinite too, and tell as 0.
    return np.float32(min(math.log2(math.e) / temperature, float(np.finfo(np.float32).max)))


def weights(
    logits: ArrayLike, temperature: float = 1.0, top_k: int | None = None
) -> NDArray[np.uint64]:
    """Integer weights of tokens: logits [batch, tokens] -> the same shape, at most 2^30.

    At temperature 0 the largest have 2^30, the rest nothing. Raises ValueError for a temperature
    that is negative or not finite, and a top_k that is not between 1 and the number of tokens.
    """
    logits = np.asarray(logits, np.float32)
    if logits.ndim != 2 or logits.shape[1] < 1:
        raise ValueError(f"logits {logits.shape} must be [batch, tokens]")
    tokens = logits.shape[1]
    check_top_k(top_k, tokens)
    factor = scale(temperature)
    known = np.where(np.isnan(logits), np.float32(-np.inf), logits)
    largest = known.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        exponent = (known - largest) * factor
    exponent = np.where(known == largest, np.float32(0), exponent)
    exponent = np.maximum(exponent, np.float32(LEAST_EXPONENT))
    steps = (exponent * np.float32(2**EXPONENT_BITS)).astype(np.int32)
    fraction = (steps & (2**EXPONENT_BITS - 1)).astype(np.uint64) << np.uint64(32 - EXPONENT_BITS)
    power = np.uint64(0)
    for coefficient in reversed(EXP2_COEFFICIENTS):
        power = np.uint64(coefficient) + (fraction * power >> _HALF)
    power = np.uint64(2**30) + ((fraction * power >> _HALF) >> np.uint64(2))
    weight = power >> np.negative(steps >> EXPONENT_BITS).astype(np.uint64)
    if top_k is not None:
        least = np.partition(known, tokens - top_k, axis=1)[:, tokens - top_k, None]
        weight = np.where(known >= least, weight, np.uint64(0))
    usable = (known > -np.inf) & ~np.isnan(logits).any(axis=1, keepdims=True)
    return np.where(usable, weight, np.uint64(0))


def draw(
    logits: ArrayLike,
    *,
    seed: int,
    start: int = 0,
    step: int = 0,
    temperature: float = 1.0,
    top_k: int | None = None,
    stream: int = STREAM,
) -> NDArray[np.int32]:
    """One token for each of samples start .. start + batch: logits [batch, tokens] -> [batch].

    Temperature 0 takes the first of the largest. -1 where a row has no token (see above). Raises
    ValueError as `weights`, and for numbers out of range.
    """
    weight = weights(logits, temperature, top_k)
    check_step(step)
    word = _words(seed, start, len(weight), step, stream)
    if temperature == 0:
        word = np.zeros_like(word)
    reached = np.cumsum(weight, axis=1, dtype=np.uint64)
    total = reached[:, -1]
    target = word * (total >> _HALF) + (word * (total & _LOW) >> _HALF)
    token = (reached > target[:, None]).argmax(axis=1).astype(np.int32)
    return np.where(total > 0, token, np.int32(-1))


def check_top_k(top_k: int | None, tokens: int) -> None:
    """Raise ValueError unless top_k is None or between 1 and the number of tokens."""
    if top_k is not None and not 1 <= top_k <= tokens:
        raise ValueError(f"top_k={top_k} must be between 1 and the {tokens} tokens")


def check_step(step: int) -> None:
    """Raise ValueError unless a step fits 31 bits."""
    if not 0 <= step < 2**31:
        raise ValueError(f"step={step} must be between 0 and 2**31 - 1")


def _words(seed: int, start: int, count: int, step: int, stream: int) -> NDArray[np.uint64]:
    """The random word of one element of each sample: [count]."""
    block = philox.block_words(seed, start, count, step // 4, stream)
    word: NDArray[np.uint64] = block[:, step % 4].astype(np.uint64)
    return word
