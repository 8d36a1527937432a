"""Tokens from logits, in integers: `kernels.tokens` is the definition, bit for bit."""

from __future__ import annotations

import triton
import triton.language as tl

from kernels.jit.philox import join_words, random_words


@triton.jit
def _load(logits_ptr, row, mask_n, first, TOKENS: tl.constexpr, BLOCK: tl.constexpr):
    """A chunk of logits [rows, BLOCK] fp32, and where it has NaN.

    -inf stands for those and beyond the last token. NaN is told by its bits, which no compiler
    takes for a comparison of the narrower type.
    """
    offs = first + tl.arange(0, BLOCK)
    mask = mask_n[:, None] & (offs[None, :] < TOKENS)
    value = tl.load(logits_ptr + row[:, None] * TOKENS + offs[None, :], mask, other=float("-inf"))
    value = value.to(tl.float32)
    fault = (value.to(tl.int32, bitcast=True) & 0x7FFFFFFF) > 0x7F800000
    return tl.where(fault, float("-inf"), value), fault


@triton.jit
def _rank(value):
    """uint32 in the order of the values; both zeros are one."""
    bits = tl.where(value == 0.0, 0.0, value).to(tl.int32, bitcast=True)
    return tl.where(bits < 0, ~bits, bits ^ -2147483648).to(tl.uint32, bitcast=True)


@triton.jit
def _weight(value, largest, least, scale):
    """Integer weights of a chunk: 2^30 * 2^((value - largest) * scale), 0 where rank < least."""
    exponent = tl.where(value == largest, 0.0, (value - largest) * scale)
    exponent = tl.where(exponent > -33.0, exponent, -33.0)
    steps = (exponent * 1048576.0).to(tl.int32)
    fraction = (steps & 0xFFFFF).to(tl.uint32) << 12
    # kernels.tokens.EXP2_COEFFICIENTS, the last first.
    power = tl.umulhi(fraction, fraction * 0 + 0x000E2A0C) + 0x0051B593
    power = tl.umulhi(fraction, power) + 0x027A1724
    power = tl.umulhi(fraction, power) + 0x0E34488A
    power = tl.umulhi(fraction, power) + 0x3D7FAAF3
    power = tl.umulhi(fraction, power) + 0xB17215AF
    power = (tl.umulhi(fraction, power) >> 2) + 0x40000000
    # 2^-31 of it and less is nothing; a shift by more than 31 would be undefined.
    down = -(steps >> 20)
    weight = tl.where(down < 31, power >> tl.minimum(down, 31).to(tl.uint32), 0)
    return tl.where(_rank(value) >= least, weight, 0).to(tl.uint64)


@triton.jit(
    do_not_specialize=[
        "batch",
        "scale_bits",
        "top_k",
        "step",
        "seed_low",
        "seed_high",
        "start_low",
        "start_high",
        "stream",
    ]
)
def sample_kernel(
    logits_ptr,
    token_ptr,
    batch,
    scale_bits,
    top_k,
    step,
    seed_low,
    seed_high,
    start_low,
    start_high,
    stream,
    TOKENS: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """ROWS samples; their logits in chunks of BLOCK, read again in every pass."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    mask_n = row < batch
    # Integers as bits of the type, so that one variant serves every temperature.
    scale = (tl.zeros([1, 1], tl.int32) + scale_bits).to(tl.float32, bitcast=True)

    largest = tl.full([ROWS], float("-inf"), tl.float32)
    faults = tl.zeros([ROWS], tl.int32)
    for first in range(0, TOKENS, BLOCK):
        value, fault = _load(logits_ptr, row, mask_n, first, TOKENS, BLOCK)
        faults += tl.sum(fault.to(tl.int32), 1)
        largest = tl.maximum(largest, tl.max(value, 1))

    # The rank of the k-th largest, one bit after another from the highest.
    least = tl.zeros([ROWS], tl.uint32)
    if top_k < TOKENS:
        bit = tl.full([ROWS], 0x80000000, tl.uint32)
        for _bit in range(32):
            candidate = least | bit
            above = tl.zeros([ROWS], tl.int32)
            for first in range(0, TOKENS, BLOCK):
                value, _fault = _load(logits_ptr, row, mask_n, first, TOKENS, BLOCK)
                above += tl.sum((_rank(value) >= candidate[:, None]).to(tl.int32), 1)
            least = tl.where(above >= top_k, candidate, least)
            bit = bit >> 1
    # From the lowest finite number up: -inf is never drawn.
    least = tl.maximum(least, 0x00800000)

    total = tl.zeros([ROWS], tl.uint64)
    for first in range(0, TOKENS, BLOCK):
        value, _fault = _load(logits_ptr, row, mask_n, first, TOKENS, BLOCK)
        total += tl.sum(_weight(value, largest[:, None], least[:, None], scale), 1)

    sample = join_words(start_low, start_high) + row.to(tl.uint64)
    block = step // 4 + tl.zeros([ROWS], tl.int32)
    w0, w1, w2, w3 = random_words(join_words(seed_low, seed_high), sample, block, stream)
    place = step % 4
    word = tl.where(place < 2, tl.where(place == 0, w0, w1), tl.where(place == 2, w2, w3))
    # Temperature 0: the first of the largest.
    word = tl.where(scale_bits == 0x7F800000, 0, word).to(tl.uint64)
    target = word * (total >> 32) + ((word * (total & 0xFFFFFFFF)) >> 32)

    token = tl.full([ROWS], 0x7FFFFFFF, tl.int32)
    before = tl.zeros([ROWS], tl.uint64)
    for first in range(0, TOKENS, BLOCK):
        value, _fault = _load(logits_ptr, row, mask_n, first, TOKENS, BLOCK)
        weight = _weight(value, largest[:, None], least[:, None], scale)
        reached = before[:, None] + tl.cumsum(weight, 1)
        offs = first + tl.arange(0, BLOCK)
        found = tl.where(reached > target[:, None], offs[None, :], 0x7FFFFFFF)
        token = tl.minimum(token, tl.min(found, 1))
        before += tl.sum(weight, 1)
    token = tl.where((total > 0) & (faults == 0), token, -1)
    tl.store(token_ptr + row, token.to(token_ptr.dtype.element_ty), mask=mask_n)
