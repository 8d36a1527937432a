"""Positions as rows, for any geometry: a tile is BLOCK_M (sample, position) pairs of one phase.

    out[n, o, :] = act(sum over taps k of x[n, i(o, k), :] @ w[k] * scale + shift)

    x   [batch, *input_size, in_channels]      fp16, bf16 or fp32
    w   [taps, CIN_PADDED, COUT_PADDED]        the same type, taps in plain order
    out [batch, *output_size, out_channels]    fp16, bf16, fp32 or uint8

A phase is a residue of the output position modulo the stride of a transposed convolution; its
outputs meet the same taps, and neighbouring outputs neighbouring inputs. Taps that fall outside the
map are multiplied as zeros, masked by row. Where few samples meet a geometry that has no shifted
grid, this keeps the rows of a tile full: forward convolutions with a stride, kernels of many taps,
stride together with dilation. Not for small maps and many samples (position_major multiplies no
zeros), nor where phases can share what they read (shifted_grid).

Unfused, batch norm and activation would move the output four times more. fp32 runs as three tf32
products of split operands.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import triton
import triton.language as tl

from kernels.conv_transpose import position_major
from kernels.conv_transpose.axis import axis_constants, tap_constants
from kernels.conv_transpose.design import Packed, Tile, Work
from kernels.conv_transpose.finish import finish_tile
from kernels.conv_transpose.packing import ceil_to, image_constants, type_bytes
from kernels.conv_transpose.problem import Problem
from kernels.launch import Launch, interpreting

if TYPE_CHECKING:
    import torch

NAME = "position_rows"


@triton.jit
def _phase_taps(
    phase,
    AXIS: tl.constexpr,
    TRANSPOSED: tl.constexpr,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    PADDING: tl.constexpr,
    DILATION: tl.constexpr,
    TAP_STEP: tl.constexpr,
    SOURCE_STEP: tl.constexpr,
    INVERSE: tl.constexpr,
):
    """First tap of a phase, the input it meets at the phase's first output, number of taps."""
    if TRANSPOSED:
        COMMON: tl.constexpr = DILATION[AXIS] // -SOURCE_STEP[AXIS]
        raised = phase + PADDING[AXIS]
        first = (raised // COMMON * INVERSE[AXIS]) % TAP_STEP[AXIS]
        # Exact, but negative where the first tap lies before the map: shifted up to divide.
        BIAS: tl.constexpr = DILATION[AXIS] * TAP_STEP[AXIS]
        source = (raised - DILATION[AXIS] * first + BIAS * STRIDE[AXIS]) // STRIDE[AXIS] - BIAS
        count = (tl.maximum(KERNEL[AXIS] - first, 0) + (TAP_STEP[AXIS] - 1)) // TAP_STEP[AXIS]
        if COMMON > 1:
            count = tl.where(raised % COMMON == 0, count, 0)
    else:
        first = phase
        source = phase - PADDING[AXIS]
        count = phase + KERNEL[AXIS]
    return first, source, count


@triton.jit(do_not_specialize=["batch"])
def position_rows_kernel(
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
    """One tile: BLOCK_M pairs of sample and position of one phase, BLOCK_N channels."""
    COLUMN_TILES: tl.constexpr = COUT_PADDED // BLOCK_N
    STEPS: tl.constexpr = CIN_PADDED // BLOCK_K
    W_TAP: tl.constexpr = CIN_PADDED * COUT_PADDED
    PHASES: tl.constexpr = STRIDE if TRANSPOSED else (1, 1, 1)
    PLACES_0: tl.constexpr = (OUT[0] + PHASES[0] - 1) // PHASES[0]
    PLACES_1: tl.constexpr = (OUT[1] + PHASES[1] - 1) // PHASES[1]
    PLACES_2: tl.constexpr = (OUT[2] + PHASES[2] - 1) // PHASES[2]
    # Inputs from one output of a phase to the next.
    PACE: tl.constexpr = (1, 1, 1) if TRANSPOSED else STRIDE

    # Columns run fastest, then phases: the tiles in flight share their inputs in L2.
    pid = tl.program_id(0)
    columns = (pid % COLUMN_TILES) * BLOCK_N
    phase = (pid // COLUMN_TILES) % (PHASES[0] * PHASES[1] * PHASES[2])
    phase_0 = phase // (PHASES[1] * PHASES[2])
    phase_1 = (phase // PHASES[2]) % PHASES[1]
    phase_2 = phase % PHASES[2]
    tile = pid // (COLUMN_TILES * PHASES[0] * PHASES[1] * PHASES[2])
    rows = tile * BLOCK_M + tl.arange(0, BLOCK_M)
    place_2 = rows % PLACES_2
    place_1 = (rows // PLACES_2) % PLACES_1
    place_0 = (rows // (PLACES_2 * PLACES_1)) % PLACES_0
    sample = rows // (PLACES_2 * PLACES_1 * PLACES_0)
    o_0 = place_0 * PHASES[0] + phase_0
    o_1 = place_1 * PHASES[1] + phase_1
    o_2 = place_2 * PHASES[2] + phase_2
    mask_row = (sample < batch) & (o_0 < OUT[0]) & (o_1 < OUT[1]) & (o_2 < OUT[2])

    first_0, source_0, count_0 = _phase_taps(
        phase_0, 0, TRANSPOSED, KERNEL, STRIDE, PADDING, DILATION, TAP_STEP, SOURCE_STEP, INVERSE
    )
    first_1, source_1, count_1 = _phase_taps(
        phase_1, 1, TRANSPOSED, KERNEL, STRIDE, PADDING, DILATION, TAP_STEP, SOURCE_STEP, INVERSE
    )
    first_2, source_2, count_2 = _phase_taps(
        phase_2, 2, TRANSPOSED, KERNEL, STRIDE, PADDING, DILATION, TAP_STEP, SOURCE_STEP, INVERSE
    )
    i_0 = place_0 * PACE[0] + source_0
    i_1 = place_1 * PACE[1] + source_1
    i_2 = place_2 * PACE[2] + source_2

    offs_k = tl.arange(0, BLOCK_K)
    offs_n = columns + tl.arange(0, BLOCK_N)
    x_rows = (((sample * SIZE[0] + i_0) * SIZE[1] + i_1) * SIZE[2] + i_2) * CIN
    x_tile = x_ptr + x_rows[:, None] + offs_k[None, :]
    w_tile = w_ptr + offs_k[:, None] * COUT_PADDED + offs_n[None, :]
    x_offset = 0
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
    tap_0 = 0
    for _ in range(count_0 * count_1 * count_2 * STEPS):
        # As unsigned numbers, inputs before the map are beyond it: one comparison an axis.
        inside = mask_row & ((i_2 + tap_2 * SOURCE_STEP[2]).to(tl.uint32) < SIZE[2])
        # An axis of one input and one output has nothing outside.
        if (KERNEL[1] * OUT[1] + PADDING[1] > 1) | (SIZE[1] == 0):
            inside &= (i_1 + tap_1 * SOURCE_STEP[1]).to(tl.uint32) < SIZE[1]
        if (KERNEL[0] * OUT[0] + PADDING[0] > 1) | (SIZE[0] == 0):
            inside &= (i_0 + tap_0 * SOURCE_STEP[0]).to(tl.uint32) < SIZE[0]
        mask_x = inside[:, None]
        if CIN != CIN_PADDED:
            mask_x = mask_x & (channel + offs_k < CIN)[None, :]
        x = tl.load(x_tile + x_offset, mask=mask_x, other=0.0)
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
        tap_2 += tl.where(tap_ends, 1, 0)
        if KERNEL[0] * KERNEL[1] > 1:
            row_ends = tap_2 == count_2
            tap_2 = tl.where(row_ends, 0, tap_2)
            x_offset += tl.where(row_ends, x_next_1, 0)
            w_offset += tl.where(row_ends, w_next_1, 0)
            tap_1 += tl.where(row_ends, 1, 0)
            if KERNEL[0] > 1:
                plane_ends = tap_1 == count_1
                tap_1 = tl.where(plane_ends, 0, tap_1)
                x_offset += tl.where(plane_ends, x_next_0, 0)
                w_offset += tl.where(plane_ends, w_next_0, 0)
                tap_0 += tl.where(plane_ends, 1, 0)

    out_rows = (((sample * OUT[0] + o_0) * OUT[1] + o_1) * OUT[2] + o_2) * COUT
    finish_tile(
        acc,
        out_rows,
        mask_row,
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


# The same channels, the same order of taps: weights are packed as those of position_major.
refuses = position_major.refuses
pack = position_major.pack


def launches(packed: Packed, x: torch.Tensor, out: torch.Tensor) -> tuple[Launch, ...]:
    """One launch over (row tiles, phases, column tiles)."""
    problem, tile = packed.problem, packed.tile
    columns = ceil_to(problem.out_channels, tile.columns)
    return (
        Launch(
            name=NAME,
            kernel=position_rows_kernel,
            grid=(_programs(problem, tile, x.shape[0]), 1, 1),
            arguments={
                "x_ptr": x,
                "w_ptr": packed.weight,
                "scale_ptr": packed.scale,
                "shift_ptr": packed.shift,
                "out_ptr": out,
                "batch": x.shape[0],
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
    """Count executed FLOPs and bytes: all taps of a phase run; those outside are not fetched."""
    geometry = problem.geometry
    row_tiles = _row_tiles(problem, tile, batch)
    depth = ceil_to(problem.in_channels, tile.depth)
    columns = ceil_to(problem.out_channels, tile.columns)
    column_tiles = columns // tile.columns
    item = type_bytes(problem.operand)
    # Every tap belongs to one phase, so the phases of a position have all of them together.
    taps = geometry.taps
    x_fill = batch * geometry.useful_products() * problem.in_channels * column_tiles
    outputs = batch * geometry.positions_out * problem.out_channels
    return Work(
        executed_flops=2 * row_tiles * tile.rows * taps * depth * columns,
        fill_bytes=(x_fill + row_tiles * taps * depth * columns) * item,
        compulsory_bytes=(
            batch * geometry.positions_in * problem.in_channels * item
            + geometry.taps * depth * columns * item
            + outputs * type_bytes(problem.output)
        ),
        programs=_programs(problem, tile, batch),
    )


def _phases(problem: Problem) -> tuple[int, ...]:
    geometry = problem.geometry
    return geometry.stride if geometry.direction == "transposed" else (1,) * geometry.rank


def _row_tiles(problem: Problem, tile: Tile, batch: int) -> int:
    """Tiles of the (sample, position) pairs of one phase."""
    sizes = zip(problem.geometry.output_size, _phases(problem), strict=True)
    rows = batch * math.prod(-(-size // phases) for size, phases in sizes)
    return -(-rows // tile.rows)


def _programs(problem: Problem, tile: Tile, batch: int) -> int:
    columns = ceil_to(problem.out_channels, tile.columns) // tile.columns
    return _row_tiles(problem, tile, batch) * math.prod(_phases(problem)) * columns
