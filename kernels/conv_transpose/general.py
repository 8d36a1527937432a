"""The fallback: any groups, dilation, alignment and channel count; plain fp32 products.

    out[n, o, c] = act(sum over taps k and channels j of x[n, i(o, k), g(c) + j] * w[k, j, c] ...)

A tile is BLOCK_M rows, each a (sample, output position) pair, by BLOCK_N output channels. Every row
finds its own inputs and every column its own channel group, so nothing is asked of the shapes; the
price is one load for each operand and product, no tensor cores, and taps that are masked where
other designs leave them out. Taken only where the others refuse: grouped and depthwise layers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import triton
import triton.language as tl

from kernels.conv_transpose.axis import axis_constants
from kernels.conv_transpose.design import Packed, Tile, Work
from kernels.conv_transpose.packing import (
    ceil_to,
    image_constants,
    pack_vectors,
    pack_weight,
    type_bytes,
)
from kernels.conv_transpose.problem import Problem
from kernels.jit.epilogue import activate, convert
from kernels.launch import LARGEST_OFFSET, Launch

if TYPE_CHECKING:
    import torch

NAME = "general"


@triton.jit
def source_of(
    position,
    tap,
    AXIS: tl.constexpr,
    TRANSPOSED: tl.constexpr,
    SIZE: tl.constexpr,
    STRIDE: tl.constexpr,
    PADDING: tl.constexpr,
    DILATION: tl.constexpr,
):
    """The input that an output position and a tap meet, and whether there is one."""
    if TRANSPOSED:
        reach = position + PADDING[AXIS] - DILATION[AXIS] * tap
        source = tl.maximum(reach, 0) // STRIDE[AXIS]
        meets = (reach >= 0) & (source * STRIDE[AXIS] == reach) & (source < SIZE[AXIS])
    else:
        source = position * STRIDE[AXIS] + DILATION[AXIS] * tap - PADDING[AXIS]
        meets = (source >= 0) & (source < SIZE[AXIS])
    return tl.where(meets, source, 0), meets


@triton.jit(do_not_specialize=["rows"])
def general_kernel(
    x_ptr,
    w_ptr,
    scale_ptr,
    shift_ptr,
    out_ptr,
    rows,
    TRANSPOSED: tl.constexpr,
    SIZE: tl.constexpr,
    OUT: tl.constexpr,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    PADDING: tl.constexpr,
    DILATION: tl.constexpr,
    CIN: tl.constexpr,
    COUT: tl.constexpr,
    GROUP_CIN: tl.constexpr,
    GROUP_COUT: tl.constexpr,
    ACTIVATION: tl.constexpr,
    SLOPE: tl.constexpr,
    OUTPUT: tl.constexpr,
    IMAGE_SCALE: tl.constexpr,
    IMAGE_SHIFT: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    """One tile: BLOCK_M pairs of sample and position, BLOCK_N channels."""
    COLUMN_TILES: tl.constexpr = (COUT + BLOCK_N - 1) // BLOCK_N
    pid = tl.program_id(0)
    row = (pid // COLUMN_TILES) * BLOCK_M + tl.arange(0, BLOCK_M)
    column = (pid % COLUMN_TILES) * BLOCK_N + tl.arange(0, BLOCK_N)
    mask_row = row < rows
    mask_column = column < COUT
    sample = row // (OUT[0] * OUT[1] * OUT[2])
    o_2 = row % OUT[2]
    o_1 = (row // OUT[2]) % OUT[1]
    o_0 = (row // (OUT[2] * OUT[1])) % OUT[0]
    first_channel = (column // GROUP_COUT) * GROUP_CIN

    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for tap in range(KERNEL[0] * KERNEL[1] * KERNEL[2]):
        source_0, meets_0 = source_of(
            o_0, tap // (KERNEL[1] * KERNEL[2]), 0, TRANSPOSED, SIZE, STRIDE, PADDING, DILATION
        )
        source_1, meets_1 = source_of(
            o_1, (tap // KERNEL[2]) % KERNEL[1], 1, TRANSPOSED, SIZE, STRIDE, PADDING, DILATION
        )
        source_2, meets_2 = source_of(
            o_2, tap % KERNEL[2], 2, TRANSPOSED, SIZE, STRIDE, PADDING, DILATION
        )
        source = ((sample * SIZE[0] + source_0) * SIZE[1] + source_1) * SIZE[2] + source_2
        mask = (mask_row & meets_0 & meets_1 & meets_2)[:, None] & mask_column[None, :]
        offsets = (source * CIN)[:, None] + first_channel[None, :]
        for channel in range(GROUP_CIN):
            x = tl.load(x_ptr + offsets + channel, mask=mask, other=0.0).to(tl.float32)
            w = tl.load(
                w_ptr + (tap * GROUP_CIN + channel) * COUT + column, mask=mask_column, other=0.0
            ).to(tl.float32)
            # A tap outside the map adds nothing, also where the weight is infinite or NaN.
            acc += tl.where(mask, x * w[None, :], 0.0)

    scale = tl.load(scale_ptr + column, mask=mask_column, other=0.0)
    shift = tl.load(shift_ptr + column, mask=mask_column, other=0.0)
    value = activate(acc * scale[None, :] + shift[None, :], ACTIVATION, SLOPE)
    value = convert(value, OUTPUT, IMAGE_SCALE, IMAGE_SHIFT)
    out_offsets = (row * COUT)[:, None] + column[None, :]
    tl.store(out_ptr + out_offsets, value, mask=mask_row[:, None] & mask_column[None, :])


def refuses(problem: Problem, architecture: int) -> str | None:
    """Why this design cannot run a problem: only weights beyond 32-bit offsets."""
    sizes = problem.in_channels // problem.groups * problem.out_channels * problem.geometry.taps
    if sizes > LARGEST_OFFSET:
        return f"{sizes} weights are too many for 32-bit offsets"
    return None


def pack(
    problem: Problem,
    tile: Tile,
    weight: torch.Tensor,
    scale: torch.Tensor | None = None,
    shift: torch.Tensor | None = None,
) -> Packed:
    """Pack w [*kernel, in_channels / groups, out_channels] as [taps, in / groups, out].

    Raises ValueError for another shape.
    """
    rows, columns = problem.in_channels // problem.groups, problem.out_channels
    packed, factors = pack_weight(problem, weight, rows, columns)
    scales, shifts = pack_vectors(problem, scale, shift, columns, weight.device, factors)
    return Packed(problem, tile, packed, scales, shifts)


def launches(packed: Packed, x: torch.Tensor, out: torch.Tensor) -> tuple[Launch, ...]:
    """One launch over (rows of samples and positions, column tiles)."""
    problem, tile = packed.problem, packed.tile
    rows = x.shape[0] * problem.geometry.positions_out
    return (
        Launch(
            name=NAME,
            kernel=general_kernel,
            grid=(
                triton.cdiv(rows, tile.rows) * triton.cdiv(problem.out_channels, tile.columns),
                1,
                1,
            ),
            arguments={
                "x_ptr": x,
                "w_ptr": packed.weight,
                "scale_ptr": packed.scale,
                "shift_ptr": packed.shift,
                "out_ptr": out,
                "rows": rows,
            },
            constants={
                **axis_constants(problem.geometry),
                **image_constants(problem),
                "CIN": problem.in_channels,
                "COUT": problem.out_channels,
                "GROUP_CIN": problem.in_channels // problem.groups,
                "GROUP_COUT": problem.out_channels // problem.groups,
                "BLOCK_M": tile.rows,
                "BLOCK_N": tile.columns,
            },
            num_warps=tile.warps,
            num_stages=tile.stages,
        ),
    )


def work(problem: Problem, tile: Tile, batch: int) -> Work:
    """Count executed FLOPs and bytes: every tap of every row, each operand loaded per product."""
    geometry = problem.geometry
    rows = ceil_to(batch * geometry.positions_out, tile.rows)
    columns = ceil_to(problem.out_channels, tile.columns)
    depth = problem.in_channels // problem.groups
    useful = problem.useful_flops // 2 * batch
    item = type_bytes(problem.operand)
    outputs = batch * geometry.positions_out * problem.out_channels
    # w is one row of a tile for all its rows; nothing passes through shared memory by name.
    w_loads = geometry.taps * depth * problem.out_channels * (rows // tile.rows)
    return Work(
        executed_flops=2 * geometry.taps * rows * columns * depth,
        fill_bytes=(useful + w_loads) * item,
        compulsory_bytes=(
            batch * geometry.positions_in * problem.in_channels * item
            + geometry.taps * depth * problem.out_channels * item
            + outputs * type_bytes(problem.output)
        ),
        programs=(rows // tile.rows) * (columns // tile.columns),
    )
