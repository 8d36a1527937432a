"""Tiles copied by the tensor memory accelerator (TMA), for sm_90 and later.

    out[n, stride * m + phase, c] = act(sum over taps x[n, i(m), :] @ w[phase, tap] * scale + shift)

    x   [batch, *input_size, in_channels]      fp16 or bf16
    w   [phase, tap, CIN_PADDED, COUT_PADDED]  the same type, flattened to two axes
    out [batch, *output_size, out_channels]    fp16, bf16, fp32 or uint8

A tile is a box of samples x rows x columns at one phase. One thread asks for a whole box of x, at
coordinates shifted by the tap; what lies outside the map arrives as zeros. No address or mask is
computed per element, which makes the shortest loop of all designs. The output, seen as
[batch, rows, phase, columns, (phase, channel)], is written by TMA as well; so its size must be a
multiple of the stride.

For 1 or 2 axes and channels that are multiples of 16 bytes. Not for small maps, where zeros
outside the map are multiplied: position_major leaves them out. Unfused, batch norm and activation
would move the output four times more.

Source: CUDA Driver API, cuTensorMapEncodeTiled.
"""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

from kernels.conv_transpose.design import Packed, Tile, Work
from kernels.conv_transpose.packing import (
    ceil_to,
    image_constants,
    pack_vectors,
    pack_weight,
    type_bytes,
)
from kernels.conv_transpose.problem import Problem
from kernels.conv_transpose.shifted_axis import ShiftedAxis, refusal, shifted_axes
from kernels.jit.epilogue import activate, convert
from kernels.launch import LARGEST_OFFSET, Launch, interpreting

if TYPE_CHECKING:
    from torch import Tensor

NAME = "descriptors"

SMALLEST_ARCHITECTURE = 90
ALIGNED_BYTES = 16


@triton.jit
def descriptors_kernel(
    x_desc,
    w_desc,
    out_desc,
    scale_ptr,
    shift_ptr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    KERNEL: tl.constexpr,
    STEPS: tl.constexpr,
    SPACING: tl.constexpr,
    PHASES: tl.constexpr,
    SHIFT: tl.constexpr,
    CIN_PADDED: tl.constexpr,
    COUT: tl.constexpr,
    COUT_PADDED: tl.constexpr,
    ACTIVATION: tl.constexpr,
    SLOPE: tl.constexpr,
    OUTPUT: tl.constexpr,
    IMAGE_SCALE: tl.constexpr,
    IMAGE_SHIFT: tl.constexpr,
    UPCAST: tl.constexpr,
    BLOCK_SAMPLES: tl.constexpr,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_COLUMNS: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """One box of positions of one phase, BLOCK_N channels."""
    BLOCK_M: tl.constexpr = BLOCK_SAMPLES * BLOCK_ROWS * BLOCK_COLUMNS
    CHANNEL_TILES: tl.constexpr = COUT_PADDED // BLOCK_N
    ALL_PHASES: tl.constexpr = PHASES[0] * PHASES[1]
    ROW_BOXES: tl.constexpr = (ROWS + BLOCK_ROWS - 1) // BLOCK_ROWS
    COLUMN_BOXES: tl.constexpr = (COLUMNS + BLOCK_COLUMNS - 1) // BLOCK_COLUMNS

    # Channels and phases run fastest: the tiles in flight share their inputs in L2.
    pid = tl.program_id(0)
    channels = (pid % CHANNEL_TILES) * BLOCK_N
    phase = (pid // CHANNEL_TILES) % ALL_PHASES
    box = pid // (CHANNEL_TILES * ALL_PHASES)
    column = (box % COLUMN_BOXES) * BLOCK_COLUMNS
    row = (box // COLUMN_BOXES % ROW_BOXES) * BLOCK_ROWS
    sample = (box // (COLUMN_BOXES * ROW_BOXES)) * BLOCK_SAMPLES
    phase_1 = phase % PHASES[1]
    phase_0 = phase // PHASES[1]

    # On the shifted grid (see shifted_axis): its phase, and the steps that phase has.
    count_0 = (KERNEL[0] - (phase_0 + SHIFT[0]) % PHASES[0] + (PHASES[0] - 1)) // PHASES[0]
    count_1 = (KERNEL[1] - (phase_1 + SHIFT[1]) % PHASES[1] + (PHASES[1] - 1)) // PHASES[1]
    if PHASES[0] == 1:
        count_0 = KERNEL[0]
    if PHASES[1] == 1:
        count_1 = KERNEL[1]
    source_0 = row + (phase_0 + SHIFT[0]) // PHASES[0]
    source_1 = column + (phase_1 + SHIFT[1]) // PHASES[1]
    next_row = count_1 * SPACING[1]

    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    w_row = phase * (STEPS[0] * STEPS[1] * CIN_PADDED)
    channel = 0
    step_1 = 0
    for _ in range(count_0 * count_1 * (CIN_PADDED // BLOCK_K)):
        x = x_desc.load([sample, source_0, source_1, channel]).reshape(BLOCK_M, BLOCK_K)
        w = w_desc.load([w_row, channels])
        if UPCAST:
            x = x.to(tl.float32)
            w = w.to(tl.float32)
        acc = tl.dot(x, w, acc)
        w_row += BLOCK_K
        channel += BLOCK_K
        step_ends = channel == CIN_PADDED
        channel = tl.where(step_ends, 0, channel)
        source_1 -= tl.where(step_ends, SPACING[1], 0)
        if KERNEL[0] > 1:
            step_1 += tl.where(step_ends, 1, 0)
            row_ends = step_1 == count_1
            step_1 = tl.where(row_ends, 0, step_1)
            source_1 += tl.where(row_ends, next_row, 0)
            source_0 -= tl.where(row_ends, SPACING[0], 0)

    # 256 columns in one piece would not leave registers for the epilogue: it spills.
    PARTS: tl.constexpr = 2 if BLOCK_N >= 256 else 1
    PART: tl.constexpr = BLOCK_N // PARTS
    if PARTS == 2:
        left, right = acc.reshape(BLOCK_M, 2, PART).permute(0, 2, 1).split()
    else:
        left, right = acc, acc
    for part in tl.static_range(PARTS):
        first = channels + part * PART
        offs = first + tl.arange(0, PART)
        scale = tl.load(scale_ptr + offs)
        shift = tl.load(shift_ptr + offs)
        value = left if part == 0 else right
        value = value * scale[None, :] + shift[None, :]
        value = convert(activate(value, ACTIVATION, SLOPE), OUTPUT, IMAGE_SCALE, IMAGE_SHIFT)
        value = value.reshape(BLOCK_SAMPLES, BLOCK_ROWS, 1, BLOCK_COLUMNS, PART)
        out_desc.store([sample, row, phase_0, column, phase_1 * COUT + first], value)


def refuses(problem: Problem, architecture: int) -> str | None:
    """Old architectures, three axes, unaligned channels, outputs that are no multiple of stride."""
    geometry = problem.geometry
    if architecture < SMALLEST_ARCHITECTURE:
        return f"sm_{architecture} has no tensor memory accelerator"
    if problem.operand == "fp32":
        return "fp32 operands are split in registers, and TMA copies past them"
    if problem.groups > 1:
        return f"groups={problem.groups}: all channels of an input are multiplied"
    if geometry.rank > 2:
        return f"{geometry.rank} axes: with phases a tensor map would need more than five"
    if reason := refusal(geometry):
        return reason
    for name, count, kind in (
        ("in_channels", problem.in_channels, problem.operand),
        ("out_channels", problem.out_channels, problem.output),
    ):
        if count * type_bytes(kind) % ALIGNED_BYTES:
            return f"{name}={count} of {kind} are no multiple of {ALIGNED_BYTES} bytes"
    if any(axis.outputs % axis.phases for axis in shifted_axes(geometry)):
        return f"output_size={geometry.output_size} is no multiple of stride={geometry.stride}"
    if 0 in geometry.input_size or 0 in geometry.output_size:
        return "a tensor map has no empty axes"
    if problem.in_channels * problem.out_channels * geometry.taps > LARGEST_OFFSET // 4:
        return "too many weights for 32-bit offsets"
    return None


def pack(
    problem: Problem,
    tile: Tile,
    weight: Tensor,
    scale: Tensor | None = None,
    shift: Tensor | None = None,
) -> Packed:
    """Pack w [*kernel, in_channels, out_channels] as [phase, tap, in padded, out padded].

    Raises ValueError for another shape, or if phases are neighbours in memory along the last axis
    and tile.columns does not divide out_channels.
    """
    axes = shifted_axes(problem.geometry.as_3d())
    if axes[2].phases > 1 and problem.out_channels % tile.columns:
        raise ValueError(
            f"tile.columns={tile.columns} does not divide out_channels={problem.out_channels}; "
            f"the tile would overwrite another phase"
        )
    rows = ceil_to(problem.in_channels, tile.depth)
    columns = ceil_to(problem.out_channels, tile.columns)
    taps, factors = pack_weight(problem, weight, rows, columns)
    taps = taps.reshape(*(axis.kernel for axis in axes), rows, columns)
    steps = axes[1].steps * axes[2].steps
    phases = tuple(product(*(range(axis.phases) for axis in axes[1:])))
    packed = torch.zeros((len(phases), steps, rows, columns), dtype=taps.dtype, device=taps.device)
    for i, phase in enumerate(phases):
        chosen = tuple(_taps(axis, at) for axis, at in zip(axes[1:], phase, strict=True))
        for step, (tap_1, tap_2) in enumerate(product(*chosen)):
            packed[i, step] = taps[0, tap_1, tap_2]
    scales, shifts = pack_vectors(problem, scale, shift, columns, weight.device, factors)
    return Packed(problem, tile, packed.reshape(-1, columns), scales, shifts)


def launches(packed: Packed, x: Tensor, out: Tensor) -> tuple[Launch, ...]:
    """One launch over (boxes, phases, channel tiles); none for an empty batch."""
    problem, tile = packed.problem, packed.tile
    batch = x.shape[0]
    if not batch:
        return ()
    _, down, across = shifted_axes(problem.geometry.as_3d())
    rows, columns = down.outputs // down.phases, across.outputs // across.phases
    samples, box_rows, box_columns = _box(tile, rows, columns, batch)
    cout = problem.out_channels
    padded = ceil_to(cout, tile.columns)
    parts = 2 if tile.columns >= 256 else 1
    source = x.view(batch, down.inputs, across.inputs, problem.in_channels)
    target = out.view(batch, rows, down.phases, columns, across.phases * cout)
    return (
        Launch(
            name=NAME,
            kernel=descriptors_kernel,
            grid=(
                triton.cdiv(batch, samples)
                * triton.cdiv(rows, box_rows)
                * triton.cdiv(columns, box_columns)
                * (down.phases * across.phases * padded // tile.columns),
                1,
                1,
            ),
            arguments={
                "x_desc": TensorDescriptor.from_tensor(
                    source, [samples, box_rows, box_columns, tile.depth]
                ),
                "w_desc": TensorDescriptor.from_tensor(packed.weight, [tile.depth, tile.columns]),
                "out_desc": TensorDescriptor.from_tensor(
                    target, [samples, box_rows, 1, box_columns, tile.columns // parts]
                ),
                "scale_ptr": packed.scale,
                "shift_ptr": packed.shift,
            },
            constants={
                "ROWS": rows,
                "COLUMNS": columns,
                "KERNEL": (down.kernel, across.kernel),
                "STEPS": (down.steps, across.steps),
                "SPACING": (down.spacing, across.spacing),
                "PHASES": (down.phases, across.phases),
                "SHIFT": (down.shift, across.shift),
                "CIN_PADDED": ceil_to(problem.in_channels, tile.depth),
                "COUT": cout,
                "COUT_PADDED": padded,
                **image_constants(problem),
                "UPCAST": interpreting() and problem.operand == "bf16",
                "BLOCK_SAMPLES": samples,
                "BLOCK_ROWS": box_rows,
                "BLOCK_COLUMNS": box_columns,
                "BLOCK_N": tile.columns,
                "BLOCK_K": tile.depth,
            },
            num_warps=tile.warps,
            num_stages=tile.stages,
        ),
    )


def work(problem: Problem, tile: Tile, batch: int) -> Work:
    """Count executed FLOPs and bytes: all taps of a phase run; zeros outside are not fetched."""
    axes = shifted_axes(problem.geometry.as_3d())[1:]
    counts = [axis.outputs // axis.phases for axis in axes]
    samples, *boxes = _box(tile, counts[0], counts[1], batch)
    lengths = [ceil_to(count, box) for count, box in zip(counts, boxes, strict=True)]
    tiles = triton.cdiv(batch, samples) * math.prod(lengths) // math.prod(boxes)
    loads = math.prod(_loads(axis, length) for axis, length in zip(axes, lengths, strict=True))
    depth = ceil_to(problem.in_channels, tile.depth)
    columns = ceil_to(problem.out_channels, tile.columns)
    item = type_bytes(problem.operand)
    weights = problem.geometry.taps * depth * columns
    stored = math.prod(axis.phases * axis.steps for axis in axes) * depth * columns
    outputs = batch * problem.geometry.positions_out * problem.out_channels
    return Work(
        executed_flops=2 * tiles * tile.rows * weights,
        fill_bytes=(
            batch * loads * problem.in_channels * (columns // tile.columns) + tiles * weights
        )
        * item,
        compulsory_bytes=(
            batch * problem.geometry.positions_in * problem.in_channels * item
            + stored * item
            + outputs * type_bytes(problem.output)
        ),
        programs=tiles * math.prod(axis.phases for axis in axes) * (columns // tile.columns),
    )


def _taps(axis: ShiftedAxis, phase: int) -> list[int]:
    """The taps of an output phase, in the order of steps."""
    shifted = (phase + axis.shift) % axis.phases
    taps = (axis.tap(shifted, step) for step in range(axis.steps))
    return [tap for tap in taps if tap is not None]


def _loads(axis: ShiftedAxis, length: int) -> int:
    """Triples (phase, step, position below length) whose input lies inside the map."""
    return sum(
        0 <= position + (phase + axis.shift) // axis.phases - axis.spacing * step < axis.inputs
        for phase in range(axis.phases)
        for step in range(len(_taps(axis, phase)))
        for position in range(length)
    )


def _box(tile: Tile, rows: int, columns: int, batch: int) -> tuple[int, int, int]:
    """Samples, rows and columns of a tile: powers of two that waste the fewest positions.

    Of the batch only its order of magnitude counts, so that few kernels serve all batches.
    """
    samples = min(triton.next_power_of_2(batch), tile.rows)
    sizes = [1 << i for i in range(tile.rows.bit_length())]
    boxes = [(h, w) for h, w in product(sizes, sizes) if h * w <= tile.rows]

    def cost(box: tuple[int, int]) -> tuple[int, int]:
        # Among equals the largest: fewer samples waste fewer rows of the last tile.
        h, w = box
        positions = ceil_to(rows, h) * ceil_to(columns, w)
        return positions * ceil_to(samples, tile.rows // (h * w)), -h * w

    h, w = min(boxes, key=cost)
    return tile.rows // (h * w), h, w
