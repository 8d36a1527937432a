"""Plain transposed convolutions, which the report holds the fused designs against.

Both write the bare convolution in the operand's type, and a last kernel reads it back to apply
scale, shift and activation and to convert.

- zero_insertion: write x with stride - 1 zeros between neighbours, then an ordinary convolution
  over all taps, most of which meet zeros (Dumoulin, Visin: A guide to convolution arithmetic).
- kernel_per_phase: one implicit product per phase, with the taps of that phase.

    x   [batch, *input_size, in_channels]      fp16 or bf16
    w   [taps, CIN_PADDED, COUT_PADDED]        the same type
    out [batch, *output_size, out_channels]    fp16, bf16, fp32 or uint8

They are written as one would at first: positions are divided and masked at every step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal

import torch
import triton

from kernels.conv_transpose.baseline_kernels import (
    epilogue_kernel,
    insert_zeros_kernel,
    plain_convolution_kernel,
)
from kernels.conv_transpose.design import Tile, Work
from kernels.conv_transpose.packing import (
    ceil_to,
    image_constants,
    pack_vectors,
    pack_weight,
    type_bytes,
)
from kernels.conv_transpose.problem import Problem
from kernels.conv_transpose.shifted_axis import refusal, shifted_axes
from kernels.launch import Launch, interpreting

if TYPE_CHECKING:
    from torch import Tensor

Baseline = Literal["zero_insertion", "kernel_per_phase"]
BASELINES: tuple[Baseline, ...] = ("zero_insertion", "kernel_per_phase")

# Elements of a program of the elementwise kernels.
BLOCK = 1024


@dataclass(frozen=True, slots=True)
class _Part:
    """One plain convolution of a baseline, three values a field: see plain_convolution_kernel."""

    size: tuple[int, ...]
    count: tuple[int, ...]
    taps: tuple[tuple[int, ...], ...]
    base: tuple[int, ...]
    step: tuple[int, ...]
    phase: tuple[int, ...]

    def grid(self, problem: Problem, tile: Tile, batch: int) -> int:
        columns = ceil_to(problem.out_channels, tile.columns) // tile.columns
        return -(-batch * math.prod(self.count) // tile.rows) * columns


def refuses(problem: Problem) -> str | None:
    """Why there is no baseline for a problem, or None."""
    if problem.geometry.direction == "forward":
        return "a forward convolution has neither zeros to insert nor phases"
    if problem.groups > 1 or any(gap > 1 for gap in problem.geometry.dilation):
        return "groups and dilation are left to the general design"
    if problem.operand == "fp32":
        return "fp32 is left to the general design"
    return refusal(problem.geometry)


def launches(
    name: Baseline,
    problem: Problem,
    tile: Tile,
    tensors: tuple[Tensor, Tensor, Tensor | None, Tensor | None],
    out: Tensor,
) -> tuple[Launch, ...]:
    """All launches of a baseline on tensors (x, weight, scale, shift), in order.

    Intermediate tensors are allocated on x's device, which may be 'meta'. Raises ValueError for
    what `refuses` names, and for weights of another shape.
    """
    if reason := refuses(problem):
        raise ValueError(reason)
    x, weight, scale, shift = tensors
    batch, columns = x.shape[0], ceil_to(problem.out_channels, tile.columns)
    axes = shifted_axes(problem.geometry.as_3d())
    depth = ceil_to(problem.in_channels, tile.depth)
    # The bare convolution is written in x's type, before the scale.
    taps, _ = pack_weight(problem, weight, depth, columns, normalise=False)
    taps = taps.reshape(*(axis.kernel for axis in axes), depth, columns)
    scales, shifts = pack_vectors(problem, scale, shift, columns, weight.device)
    raw = torch.empty(out.shape, dtype=x.dtype, device=x.device)
    result: list[Launch] = []
    source = x
    if name == "zero_insertion":
        wide = _wide(problem)
        source = torch.empty((batch, *wide, problem.in_channels), dtype=x.dtype, device=x.device)
        result.append(_insertion(problem, x, source))
    for part in _parts(name, problem):
        chosen = taps
        for dimension, wanted in enumerate(part.taps):
            index = torch.tensor(wanted, dtype=torch.int64, device=taps.device)
            chosen = chosen.index_select(dimension, index)
        result.append(
            Launch(
                name=name,
                kernel=plain_convolution_kernel,
                grid=(part.grid(problem, tile, batch), 1, 1),
                arguments={
                    "x_ptr": source,
                    "w_ptr": chosen.reshape(-1, depth, columns).contiguous(),
                    "out_ptr": raw,
                    "batch": batch,
                },
                constants={
                    "SIZE": part.size,
                    "OUT": tuple(axis.outputs for axis in axes),
                    "COUNT": part.count,
                    "TAPS": tuple(len(wanted) for wanted in part.taps),
                    "BASE": part.base,
                    "STEP": part.step,
                    "PHASE": part.phase,
                    "CIN": problem.in_channels,
                    "COUT": problem.out_channels,
                    "CIN_PADDED": depth,
                    "COUT_PADDED": columns,
                    "UPCAST": interpreting() and problem.operand == "bf16",
                    "BLOCK_M": tile.rows,
                    "BLOCK_N": tile.columns,
                    "BLOCK_K": tile.depth,
                },
                num_warps=tile.warps,
                num_stages=tile.stages,
            )
        )
    result.append(
        Launch(
            name=f"{name}_epilogue",
            kernel=epilogue_kernel,
            grid=(triton.cdiv(out.numel(), BLOCK), 1, 1),
            arguments={"raw_ptr": raw, "scale_ptr": scales, "shift_ptr": shifts, "out_ptr": out},
            constants={
                "ELEMENTS": out.numel(),
                "CHANNELS": problem.out_channels,
                **image_constants(problem),
                "BLOCK": BLOCK,
            },
        )
    )
    return tuple(result)


def work(name: Baseline, problem: Problem, tile: Tile, batch: int) -> Work:
    """Count all launches together. compulsory_bytes has what each reads and writes, once each."""
    item = type_bytes(problem.operand)
    depth = ceil_to(problem.in_channels, tile.depth)
    columns = ceil_to(problem.out_channels, tile.columns)
    outputs = batch * problem.geometry.positions_out * problem.out_channels
    inputs = batch * problem.geometry.positions_in * problem.in_channels
    flops, fill, weights = 0, 0, 0
    # The epilogue reads the bare convolution, and writes the output.
    programs = triton.cdiv(outputs, BLOCK)
    compulsory = outputs * (item + type_bytes(problem.output))
    source = inputs
    if name == "zero_insertion":
        source = batch * math.prod(_wide(problem)) * problem.in_channels
        programs += triton.cdiv(source, BLOCK)
        compulsory += (inputs + source) * item
    for part in _parts(name, problem):
        grid = part.grid(problem, tile, batch)
        taps = math.prod(len(wanted) for wanted in part.taps)
        loads = math.prod(map(_inside, part.size, part.count, part.taps, part.base))
        flops += 2 * grid * tile.rows * tile.columns * taps * depth
        fill += grid * taps * depth * tile.columns * item
        fill += batch * loads * problem.in_channels * (columns // tile.columns) * item
        weights += taps * depth * columns
        compulsory += source * item
        programs += grid
    compulsory += (weights + outputs) * item
    return Work(flops, fill, compulsory, programs)


def _insertion(problem: Problem, x: Tensor, wide: Tensor) -> Launch:
    geometry = problem.geometry.as_3d()
    return Launch(
        name="zero_insertion_spread",
        kernel=insert_zeros_kernel,
        grid=(triton.cdiv(wide.numel(), BLOCK), 1, 1),
        arguments={"x_ptr": x, "out_ptr": wide},
        constants={
            "ELEMENTS": wide.numel(),
            "SIZE": geometry.input_size,
            "WIDE": _wide(problem),
            "STRIDE": geometry.stride,
            "CHANNELS": problem.in_channels,
            "BLOCK": BLOCK,
        },
    )


def _wide(problem: Problem) -> tuple[int, ...]:
    """The input's size with zeros inserted."""
    axes = shifted_axes(problem.geometry.as_3d())
    return tuple(max(0, (axis.inputs - 1) * axis.phases + 1) for axis in axes)


def _parts(name: Baseline, problem: Problem) -> tuple[_Part, ...]:
    """The plain convolutions of a baseline; phases without output are left out."""
    axes = shifted_axes(problem.geometry.as_3d())
    if name == "zero_insertion":
        return (
            _Part(
                size=_wide(problem),
                count=tuple(axis.outputs for axis in axes),
                taps=tuple(tuple(range(axis.kernel)) for axis in axes),
                base=tuple(axis.shift for axis in axes),
                step=(1, 1, 1),
                phase=(0, 0, 0),
            ),
        )
    parts = []
    for phase in product(*(range(axis.phases) for axis in axes)):
        shifted = [at + axis.shift for at, axis in zip(phase, axes, strict=True)]
        part = _Part(
            size=tuple(axis.inputs for axis in axes),
            count=tuple(
                max(0, -(-(axis.outputs - at) // axis.phases))
                for at, axis in zip(phase, axes, strict=True)
            ),
            taps=tuple(
                tuple(range(at % axis.phases, axis.kernel, axis.phases))
                for at, axis in zip(shifted, axes, strict=True)
            ),
            base=tuple(at // axis.phases for at, axis in zip(shifted, axes, strict=True)),
            step=tuple(axis.phases for axis in axes),
            phase=phase,
        )
        if math.prod(part.count):
            parts.append(part)
    return tuple(parts)


def _inside(size: int, count: int, taps: tuple[int, ...], base: int) -> int:
    """Pairs (position, tap) of an axis whose input lies inside the map."""
    return sum(0 <= m + base - t < size for m in range(count) for t in range(len(taps)))
