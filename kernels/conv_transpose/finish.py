"""The end of a tile whose columns are output channels: scale, shift, activation, store."""

from __future__ import annotations

import triton
import triton.language as tl

from kernels.jit.epilogue import activate, convert


@triton.jit
def _halves(tile):
    """The left and the right columns of a tile."""
    ROWS: tl.constexpr = tile.shape[0]
    COLUMNS: tl.constexpr = tile.shape[1]
    return tile.reshape(ROWS, 2, COLUMNS // 2).permute(0, 2, 1).split()


@triton.jit
def finish_tile(
    acc,
    out_rows,
    mask_rows,
    columns,
    scale_ptr,
    shift_ptr,
    out_ptr,
    COUT: tl.constexpr,
    COUT_PADDED: tl.constexpr,
    ACTIVATION: tl.constexpr,
    SLOPE: tl.constexpr,
    OUTPUT: tl.constexpr,
    IMAGE_SCALE: tl.constexpr,
    IMAGE_SHIFT: tl.constexpr,
):
    """Store channels columns .. of a tile's rows, which begin at the elements out_rows of out."""
    # All columns of a large tile at once would not leave registers for the epilogue: it spills.
    LARGE: tl.constexpr = acc.shape[0] * acc.shape[1] >= 32768
    PARTS: tl.constexpr = (4 if OUTPUT == "fp32" else 2) if LARGE else 1
    PART: tl.constexpr = acc.shape[1] // PARTS
    parts = (acc, acc)
    if PARTS > 1:
        parts = _halves(acc)
    if PARTS > 2:
        parts = _halves(parts[0]) + _halves(parts[1])
    for part in tl.static_range(PARTS):
        offs_c = columns + part * PART + tl.arange(0, PART)
        scale = tl.load(scale_ptr + offs_c)
        shift = tl.load(shift_ptr + offs_c)
        value = parts[part] * scale[None, :] + shift[None, :]
        value = convert(activate(value, ACTIVATION, SLOPE), OUTPUT, IMAGE_SCALE, IMAGE_SHIFT)
        mask = mask_rows[:, None]
        if COUT != COUT_PADDED:
            mask = mask & (offs_c < COUT)[None, :]
        tl.store(out_ptr + out_rows[:, None] + offs_c[None, :], value, mask=mask)
