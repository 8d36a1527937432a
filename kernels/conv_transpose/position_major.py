"""Samples as rows: a tile is BLOCK_M samples of the batch at one output position.

    out[n, o, :] = act(sum over taps k of x[n, i(o, k), :] @ w[k] * scale + shift)

    x   [batch, *input_size, in_channels]      fp16, bf16 or fp32
    w   [taps, CIN_PADDED, COUT_PADDED]        the same type, taps in plain order
    out [batch, *output_size, out_channels]    fp16, bf16, fp32 or uint8

All rows of a tile meet the same taps, so only taps inside the map run: nothing is masked by
position, no zero is multiplied, and any kernel, stride, padding and dilation is the same code,
forward or transposed, on up to three axes. A linear layer is the case of one position.

Moves x and w once per tile that needs them (counted in `work`), and the output once; unfused, a
batch norm and an activation would move the output four times more. Not for batches of a few
samples, whose rows would be mostly padding, nor for maps so large that the same inputs are fetched
again for each of many taps: other designs share them.

The offsets into x and w are carried by the loop, because a division per step would cost more
instructions than the product. In-channels that are no multiple of 8 make rows of x that are not
aligned to 16 bytes: they are read in narrower pieces, masked at the end of the channels. A producer
that pads its channels with zeros (`kernels.latents`) makes the layer one of aligned channels.

fp32 runs as three tf32 products of split operands: as exact as sums in fp32 (1e-7 of the magnitude,
emulated), at 1302 instructions a step of 128 x 128 x 32 on sm_80 and 491 on sm_90, where plain fp32
takes 2267 and 2272. Its tensor-core time is six times that of fp16.

A first layer does not make its latents here: every output position and column tile would make them
again. For 100 -> 512 channels on 4x4 at batch 1024 that is 64 times, 14 million warp instructions,
to save 0.4 MB of the layer's 19 MB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import triton
import triton.language as tl

from kernels.conv_transpose.axis import axis_constants, axis_taps, tap_constants
from kernels.conv_transpose.design import Packed, Tile, Work
from kernels.conv_transpose.finish import finish_tile
from kernels.conv_transpose.packing import (
    ceil_to,
    image_constants,
    pack_vectors,
    pack_weight,
    type_bytes,
)
from kernels.conv_transpose.problem import Problem
from kernels.launch import LARGEST_OFFSET, Launch, interpreting

if TYPE_CHECKING:
    import torch

NAME = "position_major"


@triton.jit(do_not_specialize=["batch"])
def position_major_kernel(
    x_ptr,
    w_ptr,
    scale_ptr,
    shift_ptr,
    out_ptr,
    batch,
    TRANSPOSED: tl.constexpr,
    SIZE: tl.constexpr,
    OUT: tl.constexpr,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    PADDING: tl.constexpr,
    DILATION: tl.constexpr,
    TAP_STEP: tl.constexpr,
    SOURCE_STEP: tl.constexpr,
    INVERSE: tl.constexpr,
    CIN: tl.constexpr,
    COUT: tl.constexpr,
    CIN_PADDED: tl.constexpr,
    COUT_PADDED: tl.constexpr,
    ACTIVATION: tl.constexpr,
    SLOPE: tl.constexpr,
    OUTPUT: tl.constexpr,
    IMAGE_SCALE: tl.constexpr,
    IMAGE_SHIFT: tl.constexpr,
    PRECISION: tl.constexpr,
    UPCAST: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """One tile: BLOCK_M samples, BLOCK_N channels of one output position."""
    COLUMN_TILES: tl.constexpr = COUT_PADDED // BLOCK_N
    STEPS: tl.constexpr = CIN_PADDED // BLOCK_K
    W_TAP: tl.constexpr = CIN_PADDED * COUT_PADDED

    # Columns run fastest, then positions: the tiles in flight share their samples in L2.
    pid = tl.program_id(0)
    columns = (pid % COLUMN_TILES) * BLOCK_N
    position = (pid // COLUMN_TILES) % (OUT[0] * OUT[1] * OUT[2])
    samples = (pid // (COLUMN_TILES * OUT[0] * OUT[1] * OUT[2])) * BLOCK_M + tl.arange(0, BLOCK_M)
    mask_n = samples < batch

    o_0 = position // (OUT[1] * OUT[2])
    first_0, source_0, count_0 = axis_taps(
        o_0, 0, TRANSPOSED, SIZE, KERNEL, STRIDE, PADDING, DILATION, TAP_STEP, SOURCE_STEP, INVERSE
    )
    o_1 = (position // OUT[2]) % OUT[1]
    first_1, source_1, count_1 = axis_taps(
        o_1, 1, TRANSPOSED, SIZE, KERNEL, STRIDE, PADDING, DILATION, TAP_STEP, SOURCE_STEP, INVERSE
    )
    o_2 = position % OUT[2]
    first_2, source_2, count_2 = axis_taps(
        o_2, 2, TRANSPOSED, SIZE, KERNEL, STRIDE, PADDING, DILATION, TAP_STEP, SOURCE_STEP, INVERSE
    )

    offs_k = tl.arange(0, BLOCK_K)
    offs_n = columns + tl.arange(0, BLOCK_N)
    # Rows beyond the batch repeat its last sample and are not stored: a mask would cost the loop
    # an instruction for every load.
    rows = tl.minimum(samples, batch - 1)
    x_rows = x_ptr + (rows * (SIZE[0] * SIZE[1] * SIZE[2] * CIN))[:, None] + offs_k[None, :]
    w_tile = w_ptr + offs_k[:, None] * COUT_PADDED + offs_n[None, :]
    x_offset = ((source_0 * SIZE[1] + source_1) * SIZE[2] + source_2) * CIN
    w_offset = ((first_0 * KERNEL[1] + first_1) * KERNEL[2] + first_2) * W_TAP

    # What is added to the offsets where a tap, a row of taps and a plane of taps end.
    x_next_2 = SOURCE_STEP[2] * CIN - CIN_PADDED
    w_next_2 = (TAP_STEP[2] - 1) * W_TAP
    x_next_1 = (SOURCE_STEP[1] * SIZE[2] - count_2 * SOURCE_STEP[2]) * CIN
    w_next_1 = (TAP_STEP[1] * KERNEL[2] - count_2 * TAP_STEP[2]) * W_TAP
    x_next_0 = (SOURCE_STEP[0] * SIZE[1] - count_1 * SOURCE_STEP[1]) * SIZE[2] * CIN
    w_next_0 = (TAP_STEP[0] * KERNEL[1] - count_1 * TAP_STEP[1]) * KERNEL[2] * W_TAP

    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    channel = 0
    tap_2 = 0
    tap_1 = 0
    for _ in range(count_0 * count_1 * count_2 * STEPS):
        if CIN == CIN_PADDED:
            x = tl.load(x_rows + x_offset)
        else:
            x = tl.load(x_rows + x_offset, mask=(channel + offs_k < CIN)[None, :], other=0.0)
        w = tl.load(w_tile + w_offset)
        if UPCAST:
            x = x.to(tl.float32)
            w = w.to(tl.float32)
        acc = tl.dot(x, w, acc, input_precision=PRECISION)
        x_offset += BLOCK_K
        w_offset += BLOCK_K * COUT_PADDED
        channel += BLOCK_K
        tap_ends = channel == CIN_PADDED
        channel = tl.where(tap_ends, 0, channel)
        x_offset += tl.where(tap_ends, x_next_2, 0)
        w_offset += tl.where(tap_ends, w_next_2, 0)
        if KERNEL[0] * KERNEL[1] > 1:
            tap_2 += tl.where(tap_ends, 1, 0)
            row_ends = tap_2 == count_2
            tap_2 = tl.where(row_ends, 0, tap_2)
            x_offset += tl.where(row_ends, x_next_1, 0)
            w_offset += tl.where(row_ends, w_next_1, 0)
            if KERNEL[0] > 1:
                tap_1 += tl.where(row_ends, 1, 0)
                plane_ends = tap_1 == count_1
                tap_1 = tl.where(plane_ends, 0, tap_1)
                x_offset += tl.where(plane_ends, x_next_0, 0)
                w_offset += tl.where(plane_ends, w_next_0, 0)

    out_rows = samples * (OUT[0] * OUT[1] * OUT[2] * COUT) + position * COUT
    finish_tile(
        acc,
        out_rows,
        mask_n,
        columns,
        scale_ptr,
        shift_ptr,
        out_ptr,
        COUT,
        COUT_PADDED,
        ACTIVATION,
        SLOPE,
        OUTPUT,
        IMAGE_SCALE,
        IMAGE_SHIFT,
    )


def refuses(problem: Problem, architecture: int) -> str | None:
    """Why this design cannot run a problem: groups, or weights beyond 32-bit offsets."""
    if problem.groups != 1:
        return f"groups={problem.groups}: a tile of columns would need a channel range each"
    sizes = problem.in_channels * problem.out_channels * problem.geometry.taps
    if sizes > LARGEST_OFFSET // 4:
        return f"{sizes} weights are too many for 32-bit offsets"
    return None


def pack(
    problem: Problem,
    tile: Tile,
    weight: torch.Tensor,
    scale: torch.Tensor | None = None,
    shift: torch.Tensor | None = None,
) -> Packed:
    """Pack w [*kernel, in_channels, out_channels] as [taps, in padded, out padded].

    Raises ValueError for another shape.
    """
    rows = ceil_to(problem.in_channels, tile.depth)
    columns = ceil_to(problem.out_channels, tile.columns)
    packed, factors = pack_weight(problem, weight, rows, columns)
    scales, shifts = pack_vectors(problem, scale, shift, columns, weight.device, factors)
    return Packed(problem, tile, packed, scales, shifts)


def launches(packed: Packed, x: torch.Tensor, out: torch.Tensor) -> tuple[Launch, ...]:
    """One launch over (batch tiles, output positions, column tiles)."""
    problem, tile = packed.problem, packed.tile
    batch = x.shape[0]
    columns = ceil_to(problem.out_channels, tile.columns)
    tiles = triton.cdiv(batch, tile.rows) * (columns // tile.columns)
    return (
        Launch(
            name=NAME,
            kernel=position_major_kernel,
            grid=(tiles * problem.geometry.positions_out, 1, 1),
            arguments={
                "x_ptr": x,
                "w_ptr": packed.weight,
                "scale_ptr": packed.scale,
                "shift_ptr": packed.shift,
                "out_ptr": out,
                "batch": batch,
            },
            constants={
                **axis_constants(problem.geometry),
                **tap_constants(problem.geometry),
                **image_constants(problem),
                "CIN": problem.in_channels,
                "COUT": problem.out_channels,
                "CIN_PADDED": ceil_to(problem.in_channels, tile.depth),
                "COUT_PADDED": columns,
                "PRECISION": "tf32x3" if problem.operand == "fp32" else "ieee",
                "UPCAST": interpreting() and problem.operand == "bf16",
                "BLOCK_M": tile.rows,
                "BLOCK_N": tile.columns,
                "BLOCK_K": tile.depth,
            },
            num_warps=tile.warps,
            num_stages=tile.stages,
        ),
    )


def work(problem: Problem, tile: Tile, batch: int) -> Work:
    """Count executed FLOPs and bytes: a tile runs its taps inside the map, no others."""
    geometry = problem.geometry
    rows = ceil_to(batch, tile.rows)
    depth = ceil_to(problem.in_channels, tile.depth)
    columns = ceil_to(problem.out_channels, tile.columns)
    products = geometry.useful_products()
    item = type_bytes(problem.operand)
    # Channels beyond the last of x are masked, not fetched; the padding of w lies in memory.
    x_fill = rows * problem.in_channels * (columns // tile.columns)
    w_fill = depth * columns * (rows // tile.rows)
    outputs = batch * geometry.positions_out * problem.out_channels
    return Work(
        executed_flops=2 * products * rows * depth * columns,
        fill_bytes=products * (x_fill + w_fill) * item,
        compulsory_bytes=(
            batch * geometry.positions_in * problem.in_channels * item
            + geometry.taps * depth * columns * item
            + outputs * type_bytes(problem.output)
        ),
        programs=geometry.positions_out * (rows // tile.rows) * (columns // tile.columns),
    )
