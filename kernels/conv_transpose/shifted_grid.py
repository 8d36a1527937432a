"""All phases as columns: on a shifted grid they read the same inputs, so it is one plain product.

    acc[m, (phase, c)] = sum over steps t of x[m - t, :] @ w[t, :, (phase, c)]
    out[stride * m + phase - padding, c] = act(acc * scale + shift)

    x   [batch, *input_size, in_channels]      fp16, bf16 or fp32
    w   [steps, CIN_PADDED, COLUMNS]           the same type, columns are (phase, channel)
    out [batch, *output_size, out_channels]    fp16, bf16, fp32 or uint8

A row of a tile is a (sample, m) pair of the grid of `kernels.conv_transpose.shifted_axis`. Rows
load ceil(kernel / stride) inputs an axis instead of kernel / stride for each of the phases: for a
4x4 kernel of stride 2, four loads serve four outputs, where one product per phase needs sixteen.
Also forward convolutions of stride 1, which have a single phase.

For few channels (4 < out_channels <= 64) on large maps. Not for small maps: the grid is one
position longer than the map, and positions at the border multiply zeros. Unfused, batch norm and
activation would move the output four times more.

Offsets, and the bits that say which step is in use, are carried by the loop: a division per step
would cost more instructions than the product. fp32 runs as three tf32 products of split operands.
Where a kernel is no multiple of the stride, phases with fewer taps multiply zeros: an infinity or
NaN of x then also reaches outputs of these phases beside it.
"""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

from kernels.conv_transpose.design import Packed, Tile, Work
from kernels.conv_transpose.packing import (
    ceil_to,
    image_constants,
    pack_vectors,
    pack_weight,
    type_bytes,
)
from kernels.conv_transpose.problem import Problem
from kernels.conv_transpose.shifted_axis import refusal, shifted_axes
from kernels.conv_transpose.steps import MOST_STEPS, step_constants, steps_outside
from kernels.jit.epilogue import activate, convert
from kernels.launch import LARGEST_OFFSET, Launch, interpreting

if TYPE_CHECKING:
    from torch import Tensor

NAME = "shifted_grid"


@triton.jit(do_not_specialize=["batch"])
def shifted_grid_kernel(
    x_ptr,
    w_ptr,
    scale_ptr,
    shift_ptr,
    out_ptr,
    batch,
    SIZE: tl.constexpr,
    OUT: tl.constexpr,
    FIRST: tl.constexpr,
    COUNT: tl.constexpr,
    STEPS: tl.constexpr,
    SPACING: tl.constexpr,
    PHASES: tl.constexpr,
    SHIFT: tl.constexpr,
    CIN: tl.constexpr,
    CIN_PADDED: tl.constexpr,
    COUT: tl.constexpr,
    PHASE_COLUMNS: tl.constexpr,
    COLUMNS: tl.constexpr,
    ROW_STARTS: tl.constexpr,
    PLANE_STARTS: tl.constexpr,
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
    """One tile: BLOCK_M positions of the grid, BLOCK_N (phase, channel) columns."""
    COLUMN_TILES: tl.constexpr = COLUMNS // BLOCK_N
    CHANNEL_STEPS: tl.constexpr = CIN_PADDED // BLOCK_K
    ALL_STEPS: tl.constexpr = STEPS[0] * STEPS[1] * STEPS[2] * CHANNEL_STEPS
    # What is added to the offset of x where the channels of a step and a row of steps end.
    NEXT_2: tl.constexpr = -(CIN_PADDED + SPACING[2] * CIN)
    NEXT_1: tl.constexpr = (STEPS[2] * SPACING[2] - SPACING[1] * SIZE[2]) * CIN
    NEXT_0: tl.constexpr = (STEPS[1] * SPACING[1] - SPACING[0] * SIZE[1]) * SIZE[2] * CIN

    # Columns run fastest: the tiles in flight share their rows in L2.
    pid = tl.program_id(0)
    columns = (pid % COLUMN_TILES) * BLOCK_N
    rows = (pid // COLUMN_TILES) * BLOCK_M + tl.arange(0, BLOCK_M)
    m_2 = rows % COUNT[2] + FIRST[2]
    m_1 = (rows // COUNT[2]) % COUNT[1] + FIRST[1]
    m_0 = (rows // (COUNT[2] * COUNT[1])) % COUNT[0] + FIRST[0]
    sample = rows // (COUNT[2] * COUNT[1] * COUNT[0])

    outside = steps_outside(m_0, m_1, m_2, SIZE, STEPS, SPACING)
    outside = tl.where(sample < batch, outside, -1)

    offs_k = tl.arange(0, BLOCK_K)
    offs_n = columns + tl.arange(0, BLOCK_N)
    x_rows = (((sample * SIZE[0] + m_0) * SIZE[1] + m_1) * SIZE[2] + m_2) * CIN
    x_tile = x_ptr + x_rows[:, None] + offs_k[None, :]
    w_tile = w_ptr + offs_k[:, None] * COLUMNS + offs_n[None, :]

    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    x_offset = 0
    w_offset = 0
    channel = 0
    step_bit = 1
    for _ in range(ALL_STEPS):
        mask_x = ((outside & step_bit) == 0)[:, None]
        if CIN != CIN_PADDED:
            mask_x = mask_x & (channel + offs_k < CIN)[None, :]
        x = tl.load(x_tile + x_offset, mask=mask_x, other=0.0)
        w = tl.load(w_tile + w_offset)
        if UPCAST:
            x = x.to(tl.float32)
            w = w.to(tl.float32)
        acc = tl.dot(x, w, acc, input_precision=PRECISION)
        w_offset += BLOCK_K * COLUMNS
        x_offset += BLOCK_K
        channel += BLOCK_K
        step_ends = channel == CIN_PADDED
        channel = tl.where(step_ends, 0, channel)
        x_offset += tl.where(step_ends, NEXT_2, 0)
        step_bit = tl.where(step_ends, step_bit * 2, step_bit)
        if STEPS[1] * STEPS[0] > 1:
            row_ends = step_ends & ((step_bit & ROW_STARTS) != 0)
            x_offset += tl.where(row_ends, NEXT_1, 0)
        if STEPS[0] > 1:
            plane_ends = step_ends & ((step_bit & PLANE_STARTS) != 0)
            x_offset += tl.where(plane_ends, NEXT_0, 0)

    # 256 columns in one piece would not leave registers for the epilogue: it spills.
    PARTS: tl.constexpr = 2 if BLOCK_N >= 256 else 1
    PART: tl.constexpr = BLOCK_N // PARTS
    if PARTS == 2:
        left, right = acc.reshape(BLOCK_M, 2, PART).permute(0, 2, 1).split()
    else:
        left, right = acc, acc
    for part in tl.static_range(PARTS):
        offs = columns + part * PART + tl.arange(0, PART)
        scale = tl.load(scale_ptr + offs)
        shift = tl.load(shift_ptr + offs)
        value = left if part == 0 else right
        value = value * scale[None, :] + shift[None, :]
        value = convert(activate(value, ACTIVATION, SLOPE), OUTPUT, IMAGE_SCALE, IMAGE_SHIFT)
        phase = offs // PHASE_COLUMNS
        offs_c = offs % PHASE_COLUMNS
        o_2 = (m_2 * PHASES[2])[:, None] + (phase % PHASES[2])[None, :] - SHIFT[2]
        o_1 = (m_1 * PHASES[1])[:, None] + (phase // PHASES[2] % PHASES[1])[None, :] - SHIFT[1]
        o_0 = (m_0 * PHASES[0])[:, None] + (phase // (PHASES[2] * PHASES[1]))[None, :] - SHIFT[0]
        mask = (sample < batch)[:, None] & (offs_c < COUT)[None, :]
        mask &= (phase < PHASES[0] * PHASES[1] * PHASES[2])[None, :]
        mask &= (o_2 >= 0) & (o_2 < OUT[2]) & (o_1 >= 0) & (o_1 < OUT[1])
        # One phase of one output has nothing outside.
        if OUT[0] * PHASES[0] > 1:
            mask &= (o_0 >= 0) & (o_0 < OUT[0])
        position = ((sample[:, None] * OUT[0] + o_0) * OUT[1] + o_1) * OUT[2] + o_2
        tl.store(out_ptr + position * COUT + offs_c[None, :], value, mask=mask)


def refuses(problem: Problem, architecture: int) -> str | None:
    """Groups, strides that skip inputs, dilated phases, and sizes beyond 32-bit offsets."""
    if problem.groups > 1:
        return f"groups={problem.groups}: all channels of an input are multiplied"
    if reason := refusal(problem.geometry):
        return reason
    axes = shifted_axes(problem.geometry)
    steps = math.prod(axis.steps for axis in axes)
    if steps > MOST_STEPS:
        return f"{steps} steps a position; a row has {MOST_STEPS} bits for them"
    size = problem.in_channels * _phase_columns(problem) * steps
    size *= math.prod(axis.phases for axis in axes)
    if size > LARGEST_OFFSET // 4:
        return f"{size} weights are too many for 32-bit offsets"
    return None


def pack(
    problem: Problem,
    tile: Tile,
    weight: Tensor,
    scale: Tensor | None = None,
    shift: Tensor | None = None,
) -> Packed:
    """Pack w [*kernel, in_channels, out_channels] as [steps, in padded, (phase, out) padded].

    Raises ValueError for another shape.
    """
    phase_columns = _phase_columns(problem)
    columns = _columns(problem, tile)
    rows = ceil_to(problem.in_channels, tile.depth)
    taps, factors = pack_weight(problem, weight, rows, phase_columns)
    axes = shifted_axes(problem.geometry.as_3d())
    taps = taps.reshape(*(axis.kernel for axis in axes), rows, phase_columns)
    steps = tuple(product(*(range(axis.steps) for axis in axes)))
    phases = tuple(product(*(range(axis.phases) for axis in axes)))
    packed = torch.zeros((len(steps), rows, columns), dtype=taps.dtype, device=taps.device)
    for (i, step), (j, phase) in product(enumerate(steps), enumerate(phases)):
        tap = tuple(axis.tap(*at) for axis, *at in zip(axes, phase, step, strict=True))
        if None not in tap:
            packed[i, :, j * phase_columns : (j + 1) * phase_columns] = taps[tap]
    scales, shifts = pack_vectors(problem, scale, shift, phase_columns, weight.device, factors)
    return Packed(
        problem,
        tile,
        packed,
        _repeat(scales, len(phases), columns),
        _repeat(shifts, len(phases), columns),
    )


def launches(packed: Packed, x: Tensor, out: Tensor) -> tuple[Launch, ...]:
    """One launch over (tiles of the grid, column tiles)."""
    problem, tile = packed.problem, packed.tile
    batch = x.shape[0]
    axes = shifted_axes(problem.geometry.as_3d())
    columns = _columns(problem, tile)
    return (
        Launch(
            name=NAME,
            kernel=shifted_grid_kernel,
            grid=(_row_tiles(problem, tile, batch) * (columns // tile.columns), 1, 1),
            arguments={
                "x_ptr": x,
                "w_ptr": packed.weight,
                "scale_ptr": packed.scale,
                "shift_ptr": packed.shift,
                "out_ptr": out,
                "batch": batch,
            },
            constants={
                **step_constants(axes),
                **image_constants(problem),
                "CIN": problem.in_channels,
                "CIN_PADDED": ceil_to(problem.in_channels, tile.depth),
                "COUT": problem.out_channels,
                "PHASE_COLUMNS": _phase_columns(problem),
                "COLUMNS": columns,
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
    """Count executed FLOPs and bytes: all steps run everywhere; inputs outside are not fetched."""
    axes = shifted_axes(problem.geometry.as_3d())
    steps = math.prod(axis.steps for axis in axes)
    loads = math.prod(axis.loads() for axis in axes)
    depth = ceil_to(problem.in_channels, tile.depth)
    columns = _columns(problem, tile)
    row_tiles = _row_tiles(problem, tile, batch)
    column_tiles = columns // tile.columns
    item = type_bytes(problem.operand)
    outputs = batch * problem.geometry.positions_out * problem.out_channels
    return Work(
        executed_flops=2 * row_tiles * tile.rows * steps * depth * columns,
        fill_bytes=(
            batch * loads * problem.in_channels * column_tiles * item
            + row_tiles * steps * depth * columns * item
        ),
        compulsory_bytes=(
            batch * problem.geometry.positions_in * problem.in_channels * item
            + steps * depth * columns * item
            + outputs * type_bytes(problem.output)
        ),
        programs=row_tiles * column_tiles,
    )


def _phase_columns(problem: Problem) -> int:
    """Columns of one phase: channels up to a whole number of 16-byte stores."""
    return ceil_to(problem.out_channels, 16 // type_bytes(problem.output))


def _columns(problem: Problem, tile: Tile) -> int:
    phases = math.prod(axis.phases for axis in shifted_axes(problem.geometry))
    return ceil_to(phases * _phase_columns(problem), tile.columns)


def _row_tiles(problem: Problem, tile: Tile, batch: int) -> int:
    positions = math.prod(axis.count for axis in shifted_axes(problem.geometry))
    return -(-batch * positions // tile.rows)


def _repeat(vector: Tensor, phases: int, columns: int) -> Tensor:
    """A vector of one phase for all of them, with zeros up to the columns."""
    repeated = torch.zeros(columns, dtype=vector.dtype, device=vector.device)
    repeated[: phases * vector.numel()] = vector.repeat(phases)
    return repeated
