"""The kernels of `kernels.conv_transpose.baseline`, written as one would at first."""

from __future__ import annotations

import triton
import triton.language as tl

from kernels.jit.epilogue import activate, convert


@triton.jit
def insert_zeros_kernel(
    x_ptr,
    out_ptr,
    ELEMENTS: tl.constexpr,
    SIZE_0: tl.constexpr,
    SIZE_1: tl.constexpr,
    SIZE_2: tl.constexpr,
    WIDE_0: tl.constexpr,
    WIDE_1: tl.constexpr,
    WIDE_2: tl.constexpr,
    STRIDE_0: tl.constexpr,
    STRIDE_1: tl.constexpr,
    STRIDE_2: tl.constexpr,
    CHANNELS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """BLOCK elements of x spread out, zeros between."""
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel = offs % CHANNELS
    u_2 = offs // CHANNELS % WIDE_2
    u_1 = offs // (CHANNELS * WIDE_2) % WIDE_1
    u_0 = offs // (CHANNELS * WIDE_2 * WIDE_1) % WIDE_0
    sample = offs // (CHANNELS * WIDE_2 * WIDE_1 * WIDE_0)
    kept = (u_2 % STRIDE_2 == 0) & (u_1 % STRIDE_1 == 0) & (u_0 % STRIDE_0 == 0)
    source = (sample * SIZE_0 + u_0 // STRIDE_0) * SIZE_1 + u_1 // STRIDE_1
    source = (source * SIZE_2 + u_2 // STRIDE_2) * CHANNELS + channel
    value = tl.load(x_ptr + source, mask=kept & (offs < ELEMENTS), other=0.0)
    tl.store(out_ptr + offs, value, mask=offs < ELEMENTS)


@triton.jit(do_not_specialize=["batch"])
def plain_convolution_kernel(
    x_ptr,
    w_ptr,
    out_ptr,
    batch,
    SIZE_0: tl.constexpr,
    SIZE_1: tl.constexpr,
    SIZE_2: tl.constexpr,
    OUT_0: tl.constexpr,
    OUT_1: tl.constexpr,
    OUT_2: tl.constexpr,
    COUNT_0: tl.constexpr,
    COUNT_1: tl.constexpr,
    COUNT_2: tl.constexpr,
    TAPS_0: tl.constexpr,
    TAPS_1: tl.constexpr,
    TAPS_2: tl.constexpr,
    BASE_0: tl.constexpr,
    BASE_1: tl.constexpr,
    BASE_2: tl.constexpr,
    STEP_0: tl.constexpr,
    STEP_1: tl.constexpr,
    STEP_2: tl.constexpr,
    PHASE_0: tl.constexpr,
    PHASE_1: tl.constexpr,
    PHASE_2: tl.constexpr,
    CIN: tl.constexpr,
    COUT: tl.constexpr,
    CIN_PADDED: tl.constexpr,
    COUT_PADDED: tl.constexpr,
    UPCAST: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """One tile: positions m of one phase, output step * m + phase, input m + base - tap."""
    COLUMN_TILES: tl.constexpr = COUT_PADDED // BLOCK_N
    CHANNEL_STEPS: tl.constexpr = CIN_PADDED // BLOCK_K
    pid = tl.program_id(0)
    offs_n = (pid % COLUMN_TILES) * BLOCK_N + tl.arange(0, BLOCK_N)
    rows = (pid // COLUMN_TILES) * BLOCK_M + tl.arange(0, BLOCK_M)
    m_2 = rows % COUNT_2
    m_1 = rows // COUNT_2 % COUNT_1
    m_0 = rows // (COUNT_2 * COUNT_1) % COUNT_0
    sample = rows // (COUNT_2 * COUNT_1 * COUNT_0)
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for step in range(TAPS_0 * TAPS_1 * TAPS_2 * CHANNEL_STEPS):
        tap = step // CHANNEL_STEPS
        offs_k = (step % CHANNEL_STEPS) * BLOCK_K + tl.arange(0, BLOCK_K)
        i_2 = m_2 + (BASE_2 - tap % TAPS_2)
        i_1 = m_1 + (BASE_1 - tap // TAPS_2 % TAPS_1)
        i_0 = m_0 + (BASE_0 - tap // (TAPS_2 * TAPS_1))
        mask = (sample < batch) & (i_2 >= 0) & (i_2 < SIZE_2) & (i_1 >= 0) & (i_1 < SIZE_1)
        mask = mask & (i_0 >= 0) & (i_0 < SIZE_0)
        source = (((sample * SIZE_0 + i_0) * SIZE_1 + i_1) * SIZE_2 + i_2) * CIN
        x = tl.load(
            x_ptr + source[:, None] + offs_k[None, :],
            mask=mask[:, None] & (offs_k < CIN)[None, :],
            other=0.0,
        )
        w = tl.load(w_ptr + (tap * CIN_PADDED + offs_k)[:, None] * COUT_PADDED + offs_n[None, :])
        if UPCAST:
            x = x.to(tl.float32)
            w = w.to(tl.float32)
        acc = tl.dot(x, w, acc)
    o_2 = m_2 * STEP_2 + PHASE_2
    o_1 = m_1 * STEP_1 + PHASE_1
    o_0 = m_0 * STEP_0 + PHASE_0
    position = ((sample * OUT_0 + o_0) * OUT_1 + o_1) * OUT_2 + o_2
    mask_out = (sample < batch)[:, None] & (offs_n < COUT)[None, :]
    tl.store(
        out_ptr + position[:, None] * COUT + offs_n[None, :],
        acc.to(out_ptr.dtype.element_ty),
        mask=mask_out,
    )


@triton.jit
def epilogue_kernel(
    raw_ptr,
    scale_ptr,
    shift_ptr,
    out_ptr,
    ELEMENTS: tl.constexpr,
    CHANNELS: tl.constexpr,
    ACTIVATION: tl.constexpr,
    SLOPE: tl.constexpr,
    OUTPUT: tl.constexpr,
    IMAGE_SCALE: tl.constexpr,
    IMAGE_SHIFT: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Scale, shift, activation and conversion of BLOCK elements."""
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offs < ELEMENTS
    scale = tl.load(scale_ptr + offs % CHANNELS)
    shift = tl.load(shift_ptr + offs % CHANNELS)
    value = tl.load(raw_ptr + offs, mask=mask, other=0.0).to(tl.float32) * scale + shift
    value = convert(activate(value, ACTIVATION, SLOPE), OUTPUT, IMAGE_SCALE, IMAGE_SHIFT)
    tl.store(out_ptr + offs, value, mask=mask)
