"""Image layers: a program walks along an image row and writes it in chunks of whole 16-byte stores.

    out[n, o0, o1, :] = act(sum over taps of x @ w * scale + shift), as CHUNK elements (pixel, c)

    x   [batch, *input_size, in_channels]      fp16, bf16 or fp32
    w   [ROWS, 2, LINES * CHUNK]               the same type; rows are (column, channel block, step,
                                               channel), for as many columns as chunks repeat after
    out [batch, *output_size, out_channels]    fp16, bf16, fp32 or uint8

With 1 to 4 channels no tile of output channels fills a tensor-core product, and a pixel is no
multiple of 16 bytes. But neighbouring pixels are neighbours in memory: CHUNK elements of an output
row, cut without regard to pixels, are the columns of a product, for all LINES (phases of the outer
axes) at once. Rows of a tile are (sample, position) of the outer axes on the shifted grid
(`kernels.conv_transpose.shifted_axis`). An input column reaches at most two chunks: it is
multiplied for the current one and for the next, whose sum is carried over. So every input is
loaded once for each step of the outer axes (64 -> 3 channels, kernel 4, stride 2: twice, where
one product per phase loads it 16 times), and nothing is masked along the row.

For out_channels up to 4, in_channels a multiple of 16. A program walks over `tile.group` chunks,
and begins with the columns that reach into its first one from before; fewer chunks make more
programs where the batch is small. Unfused, activation and conversion to uint8 would move the image
five times more. fp32 runs as three tf32 products of split operands. An infinity or NaN of x meets
zeros too, and so reaches all of its two chunks.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

from kernels.conv_transpose.design import Packed, Tile, Work
from kernels.conv_transpose.image_row import LARGEST_CHUNK, image_row, pixels_of
from kernels.conv_transpose.packing import image_constants, pack_vectors, pack_weight, type_bytes
from kernels.conv_transpose.problem import Problem
from kernels.conv_transpose.shifted_axis import refusal, shifted_axes
from kernels.conv_transpose.steps import MOST_STEPS, step_constants, steps_outside
from kernels.jit.epilogue import activate, convert
from kernels.launch import Launch, interpreting

if TYPE_CHECKING:
    from torch import Tensor

NAME = "grouped_columns"


@triton.jit(do_not_specialize=["batch"])
def grouped_columns_kernel(
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
    WIDTH: tl.constexpr,
    ROW_ELEMENTS: tl.constexpr,
    COLUMN_ELEMENTS: tl.constexpr,
    REACH_ELEMENTS: tl.constexpr,
    SHIFT_ELEMENTS: tl.constexpr,
    CHUNKS: tl.constexpr,
    GROUP: tl.constexpr,
    PERIOD: tl.constexpr,
    LINES: tl.constexpr,
    ROW_STARTS: tl.constexpr,
    CIN: tl.constexpr,
    COUT: tl.constexpr,
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
    """BLOCK_M positions of the outer axes, GROUP chunks of their output rows."""
    CHUNK: tl.constexpr = BLOCK_N // LINES
    PROGRAMS_A_ROW: tl.constexpr = (CHUNKS + GROUP - 1) // GROUP
    ALL_STEPS: tl.constexpr = STEPS[0] * STEPS[1]
    W_STEP: tl.constexpr = BLOCK_K * 2 * BLOCK_N
    W_COLUMN: tl.constexpr = ALL_STEPS * (CIN // BLOCK_K) * W_STEP
    # What is added to the offset of x from step to step, and after the last one.
    NEXT_1: tl.constexpr = -SPACING[1] * WIDTH * CIN
    NEXT_0: tl.constexpr = -SPACING[0] * SIZE[1] * WIDTH * CIN - STEPS[1] * NEXT_1
    NEXT_K: tl.constexpr = BLOCK_K - ALL_STEPS * NEXT_1 - (STEPS[0] - 1) * NEXT_0

    pid = tl.program_id(0)
    rows = (pid // PROGRAMS_A_ROW) * BLOCK_M + tl.arange(0, BLOCK_M)
    m_1 = rows % COUNT[1] + FIRST[1]
    m_0 = (rows // COUNT[1]) % COUNT[0] + FIRST[0]
    sample = rows // (COUNT[1] * COUNT[0])
    # The axis along the row has no steps of its own: its place takes one that is always inside.
    outside = steps_outside(
        m_0,
        m_1,
        m_1 * 0,
        (SIZE[0], SIZE[1], 1),
        (STEPS[0], STEPS[1], 1),
        (SPACING[0], SPACING[1], 1),
    )
    outside = tl.where(sample < batch, outside, -1)

    offs_k = tl.arange(0, BLOCK_K)
    offs_n = tl.arange(0, BLOCK_N)
    line = offs_n // CHUNK
    o_1 = (m_1 * PHASES[1])[:, None] + (line % PHASES[1])[None, :] - SHIFT[1]
    o_0 = (m_0 * PHASES[0])[:, None] + (line // PHASES[1])[None, :] - SHIFT[0]
    mask_row = (sample < batch)[:, None] & (line < PHASES[0] * PHASES[1])[None, :]
    mask_row &= (o_1 >= 0) & (o_1 < OUT[1]) & (o_0 >= 0) & (o_0 < OUT[0])
    out_rows = ((sample[:, None] * OUT[0] + o_0) * OUT[1] + o_1) * ROW_ELEMENTS

    first_chunk = (pid % PROGRAMS_A_ROW) * GROUP
    last_chunk = tl.minimum(first_chunk + GROUP, CHUNKS)
    # The first input column that reaches into the first chunk.
    reach = first_chunk * CHUNK + SHIFT_ELEMENTS - REACH_ELEMENTS + 1
    column = (tl.maximum(reach, 0) + COLUMN_ELEMENTS - 1) // COLUMN_ELEMENTS
    column = tl.minimum(column, WIDTH)

    x_rows = ((sample * SIZE[0] + m_0) * SIZE[1] + m_1) * (WIDTH * CIN) + column * CIN
    x_tile = x_ptr + x_rows[:, None] + offs_k[None, :]
    w_tile = w_ptr + offs_k[:, None] * (2 * BLOCK_N) + offs_n[None, :]
    x_offset = 0
    w_offset = (column % PERIOD) * W_COLUMN
    step_bit = 1

    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for chunk in range(first_chunk - 1, last_chunk):
        # Columns that begin in this chunk; they may end in the next.
        start = (chunk + 1) * CHUNK + SHIFT_ELEMENTS
        end = (tl.maximum(start, 0) + COLUMN_ELEMENTS - 1) // COLUMN_ELEMENTS
        end = tl.maximum(tl.minimum(end, WIDTH), column)
        carry = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
        for _ in range((end - column) * (W_COLUMN // W_STEP)):
            mask_x = ((outside & step_bit) == 0)[:, None]
            x = tl.load(x_tile + x_offset, mask=mask_x, other=0.0)
            w = tl.load(w_tile + w_offset)
            w_next = tl.load(w_tile + (w_offset + BLOCK_N))
            if UPCAST:
                x = x.to(tl.float32)
                w = w.to(tl.float32)
                w_next = w_next.to(tl.float32)
            acc = tl.dot(x, w, acc, input_precision=PRECISION)
            carry = tl.dot(x, w_next, carry, input_precision=PRECISION)
            w_offset += W_STEP
            w_offset = tl.where(w_offset == PERIOD * W_COLUMN, 0, w_offset)
            step_bit = step_bit * 2
            x_offset += NEXT_1
            if STEPS[0] > 1:
                x_offset += tl.where((step_bit & ROW_STARTS) != 0, NEXT_0, 0)
            steps_end = step_bit == 1 << ALL_STEPS
            step_bit = tl.where(steps_end, 1, step_bit)
            x_offset += tl.where(steps_end, NEXT_K, 0)
        column = end

        element = chunk * CHUNK + offs_n % CHUNK
        # The chunk before the first is another program's.
        inside = (element >= first_chunk * CHUNK) & (element < ROW_ELEMENTS)
        mask = mask_row & inside[None, :]
        offs_c = tl.maximum(element, 0) % COUT
        scale = tl.load(scale_ptr + offs_c)
        shift = tl.load(shift_ptr + offs_c)
        value = acc * scale[None, :] + shift[None, :]
        value = convert(activate(value, ACTIVATION, SLOPE), OUTPUT, IMAGE_SCALE, IMAGE_SHIFT)
        tl.store(out_ptr + out_rows + element[None, :], value, mask=mask)
        acc = carry


def refuses(problem: Problem, architecture: int) -> str | None:
    """Groups, strides that skip inputs, narrow or unaligned channels, wide kernels."""
    if problem.groups > 1:
        return f"groups={problem.groups}: all channels of an input are multiplied"
    if reason := refusal(problem.geometry):
        return reason
    if problem.in_channels % 16:
        return f"in_channels={problem.in_channels} is no multiple of 16"
    outer_0, outer_1, _ = shifted_axes(problem.geometry.as_3d())
    steps = outer_0.steps * outer_1.steps
    if steps > MOST_STEPS:
        return f"{steps} steps of the outer axes; a row has {MOST_STEPS} bits for them"
    row = image_row(problem, 1)
    if row.chunk > LARGEST_CHUNK:
        return f"an input column reaches {row.reach} elements, more than {LARGEST_CHUNK} in a chunk"
    return None


def pack(
    problem: Problem,
    tile: Tile,
    weight: Tensor,
    scale: Tensor | None = None,
    shift: Tensor | None = None,
) -> Packed:
    """Pack w [*kernel, in_channels, out_channels] as [ROWS, 2, LINES * CHUNK].

    Raises ValueError for another shape, or if tile.depth does not divide in_channels.
    """
    count = problem.in_channels
    if count % tile.depth:
        raise ValueError(f"tile.depth={tile.depth} does not divide in_channels={count}")
    row, axes = image_row(problem, tile.columns), shifted_axes(problem.geometry.as_3d())
    taps, factors = pack_weight(problem, weight, count, problem.out_channels)
    taps = taps.reshape(*(axis.kernel for axis in axes), count, problem.out_channels)
    steps = tuple(product(*(range(axis.steps) for axis in axes[:2])))
    phases = tuple(product(*(range(axis.phases) for axis in axes[:2])))
    dense = torch.zeros(
        (row.period, len(steps), count, row.lines, 2 * row.chunk),
        dtype=taps.dtype,
        device=taps.device,
    )
    width = axes[2]
    for (i, step), (line, phase) in product(enumerate(steps), enumerate(phases)):
        outer = tuple(axis.tap(*at) for axis, *at in zip(axes[:2], phase, step, strict=True))
        if None in outer:
            continue
        for column in range(row.period):
            begin = (column * row.column - row.shift) % row.chunk
            for tap, pixel in pixels_of(width):
                at = begin + pixel * problem.out_channels
                part = dense[column, i, :, line, at : at + problem.out_channels]
                part += taps[(*outer, tap)]
    blocks = count // tile.depth
    packed = (
        dense.reshape(row.period, len(steps), blocks, tile.depth, row.lines, 2, row.chunk)
        .permute(0, 2, 1, 3, 5, 4, 6)
        .reshape(-1, 2, row.lines * row.chunk)
        .contiguous()
    )
    scales, shifts = pack_vectors(
        problem, scale, shift, problem.out_channels, weight.device, factors
    )
    return Packed(problem, tile, packed, scales, shifts)


def launches(packed: Packed, x: Tensor, out: Tensor) -> tuple[Launch, ...]:
    """One launch over (tiles of the outer axes, groups of chunks)."""
    problem, tile = packed.problem, packed.tile
    batch = x.shape[0]
    axes = shifted_axes(problem.geometry.as_3d())
    row = image_row(problem, tile.columns)
    group = max(1, min(tile.group, row.chunks))
    return (
        Launch(
            name=NAME,
            kernel=grouped_columns_kernel,
            grid=(_row_tiles(problem, tile, batch) * -(-row.chunks // group), 1, 1),
            arguments={
                "x_ptr": x,
                "w_ptr": packed.weight,
                "scale_ptr": packed.scale,
                "shift_ptr": packed.shift,
                "out_ptr": out,
                "batch": batch,
            },
            constants={
                **step_constants(axes[:2]),
                "WIDTH": axes[2].inputs,
                **image_constants(problem),
                "ROW_ELEMENTS": row.elements,
                "COLUMN_ELEMENTS": row.column,
                "REACH_ELEMENTS": row.reach,
                "SHIFT_ELEMENTS": row.shift,
                "CHUNKS": row.chunks,
                "GROUP": group,
                "PERIOD": row.period,
                "LINES": row.lines,
                "CIN": problem.in_channels,
                "COUT": problem.out_channels,
                "PRECISION": "tf32x3" if problem.operand == "fp32" else "ieee",
                "UPCAST": interpreting() and problem.operand == "bf16",
                "BLOCK_M": tile.rows,
                "BLOCK_N": row.lines * row.chunk,
                "BLOCK_K": tile.depth,
            },
            num_warps=tile.warps,
            num_stages=tile.stages,
        ),
    )


def work(problem: Problem, tile: Tile, batch: int) -> Work:
    """Count executed FLOPs and bytes: every column once a program and step, for two chunks."""
    axes = shifted_axes(problem.geometry.as_3d())
    row = image_row(problem, tile.columns)
    columns = row.columns(max(1, min(tile.group, row.chunks)))
    steps = axes[0].steps * axes[1].steps
    loads = axes[0].loads() * axes[1].loads()
    row_tiles = _row_tiles(problem, tile, batch)
    item = type_bytes(problem.operand)
    weights = steps * problem.in_channels * 2 * row.lines * row.chunk
    outputs = batch * problem.geometry.positions_out * problem.out_channels
    return Work(
        executed_flops=2 * row_tiles * tile.rows * columns * weights,
        fill_bytes=(batch * loads * columns * problem.in_channels + row_tiles * columns * weights)
        * item,
        compulsory_bytes=(
            batch * problem.geometry.positions_in * problem.in_channels * item
            + row.period * weights * item
            + outputs * type_bytes(problem.output)
        ),
        programs=row_tiles * -(-row.chunks // max(1, min(tile.group, row.chunks))),
    )


def _row_tiles(problem: Problem, tile: Tile, batch: int) -> int:
    *outer, _ = shifted_axes(problem.geometry.as_3d())
    return -(-batch * outer[0].count * outer[1].count // tile.rows)
