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
    SIZE: tl.constexpr,
    WIDE: tl.constexpr,
    STRIDE: tl.constexpr,
    CHANNELS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """BLOCK elements of x spread out, zeros between."""
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel = offs % CHANNELS
    u_2 = offs // CHANNELS % WIDE[2]
    u_1 = offs // (CHANNELS * WIDE[2]) % WIDE[1]
    u_0 = offs // (CHANNELS * WIDE[2] * WIDE[1]) % WIDE[0]
    sample = offs // (CHANNELS * WIDE[2] * WIDE[1] * WIDE[0])
    kept = (u_2 % STRIDE[2] == 0) & (u_1 % STRIDE[1] == 0) & (u_0 % STRIDE[0] == 0)
    source = (sample * SIZE[0] + u_0 // STRIDE[0]) * SIZE[1] + u_1 // STRIDE[1]
    source = (source * SIZE[2] + u_2 // STRIDE[2]) * CHANNELS + channel
    value = tl.load(x_ptr + source, mask=kept & (offs < ELEMENTS), other=0.0)
    tl.store(out_ptr + offs, value, mask=offs < ELEMENTS)


@triton.jit(do_not_specialize=["batch"])
def plain_convolution_kernel(
    x_ptr,
    w_ptr,
    out_ptr,
    batch,
    SIZE: tl.constexpr,
    OUT: tl.constexpr,
    COUNT: tl.constexpr,
    TAPS: tl.constexpr,
    BASE: tl.constexpr,
    STEP: tl.constexpr,
    PHASE: tl.constexpr,
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
    m_2 = rows % COUNT[2]
    m_1 = rows // COUNT[2] % COUNT[1]
    m_0 = rows // (COUNT[2] * COUNT[1]) % COUNT[0]
    sample = rows // (COUNT[2] * COUNT[1] * COUNT[0])
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for step in range(TAPS[0] * TAPS[1] * TAPS[2] * CHANNEL_STEPS):
        tap = step // CHANNEL_STEPS
        offs_k = (step % CHANNEL_STEPS) * BLOCK_K + tl.arange(0, BLOCK_K)
        i_2 = m_2 + (BASE[2] - tap % TAPS[2])
        i_1 = m_1 + (BASE[1] - tap // TAPS[2] % TAPS[1])
        i_0 = m_0 + (BASE[0] - tap // (TAPS[2] * TAPS[1]))
        mask = (sample < batch) & (i_2 >= 0) & (i_2 < SIZE[2]) & (i_1 >= 0) & (i_1 < SIZE[1])
        mask = mask & (i_0 >= 0) & (i_0 < SIZE[0])
        source = (((sample * SIZE[0] + i_0) * SIZE[1] + i_1) * SIZE[2] + i_2) * CIN
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
    o_2 = m_2 * STEP[2] + PHASE[2]
    o_1 = m_1 * STEP[1] + PHASE[1]
    o_0 = m_0 * STEP[0] + PHASE[0]
    position = ((sample * OUT[0] + o_0) * OUT[1] + o_1) * OUT[2] + o_2
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
