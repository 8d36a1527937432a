"""Neighbouring axes reduced to one number each, and softmax over the last axis.

    reduce:   x [outer, reduced, inner] -> [outer, 1, inner]     mean, sum, max, min in fp32
    softmax:  exp(x - max) / sum(exp(x - max)) of each row

Bytes: x once and the output once (softmax keeps a row in registers). Neither splits the reduced
axis over programs: where there are few outer elements and a long axis, the device is not full.
Reference: `kernels.reference.reduction`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import triton
import triton.language as tl
from torch import Tensor

from kernels.launch import Launch
from kernels.pointwise.checks import check, output
from kernels.pointwise.walk import batch_ranges, warps_for

Reduction = Literal["mean", "sum", "max", "min"]
TILE = 2048
# The longest row that softmax keeps in the registers of a program.
MOST_COLUMNS = 16384


@triton.jit
def larger(a, b):
    """The larger number; NaN wins."""
    return tl.where((a > b) | (a != a), a, b)


@triton.jit
def smaller(a, b):
    """The smaller number; NaN wins."""
    return tl.where((a < b) | (a != a), a, b)


@triton.jit
def reduce_kernel(
    x_ptr,
    out_ptr,
    REDUCED: tl.constexpr,
    INNER: tl.constexpr,
    FUNCTION: tl.constexpr,
    BLOCK_R: tl.constexpr,
    BLOCK_I: tl.constexpr,
):
    """One outer element and BLOCK_I inner ones."""
    TILES: tl.constexpr = (INNER + BLOCK_I - 1) // BLOCK_I
    row = tl.program_id(0) // TILES
    inner = (tl.program_id(0) % TILES) * BLOCK_I + tl.arange(0, BLOCK_I)
    mask_i = inner < INNER
    if FUNCTION == "max":
        empty = float("-inf")
    elif FUNCTION == "min":
        empty = float("inf")
    else:
        empty = 0.0
    acc = tl.full((BLOCK_R, BLOCK_I), empty, tl.float32)
    for start in range(0, REDUCED, BLOCK_R):
        offs_r = start + tl.arange(0, BLOCK_R)
        mask = (offs_r < REDUCED)[:, None] & mask_i[None, :]
        offsets = row * (REDUCED * INNER) + offs_r[:, None] * INNER + inner[None, :]
        value = tl.load(x_ptr + offsets, mask=mask, other=empty).to(tl.float32)
        if FUNCTION == "max":
            acc = larger(acc, value)
        elif FUNCTION == "min":
            acc = smaller(acc, value)
        else:
            acc += value
    if FUNCTION == "max":
        result = tl.reduce(acc, 0, larger)
    elif FUNCTION == "min":
        result = tl.reduce(acc, 0, smaller)
    else:
        result = tl.sum(acc, axis=0)
    if FUNCTION == "mean":
        result = result / REDUCED
    tl.store(out_ptr + row * INNER + inner, result.to(out_ptr.dtype.element_ty), mask=mask_i)


@triton.jit
def softmax_kernel(x_ptr, out_ptr, COLUMNS: tl.constexpr, BLOCK: tl.constexpr):
    """One row."""
    row = tl.program_id(0)
    column = tl.arange(0, BLOCK)
    mask = column < COLUMNS
    offsets = row * COLUMNS + column
    value = tl.load(x_ptr + offsets, mask=mask, other=float("-inf")).to(tl.float32)
    value = tl.exp(value - tl.reduce(value, 0, larger))
    value = value / tl.sum(tl.where(mask, value, 0.0), axis=0)
    tl.store(out_ptr + offsets, value.to(out_ptr.dtype.element_ty), mask=mask)


def reduce_launches(
    function: Reduction, x: Tensor, first_axis: int, last_axis: int, out: Tensor
) -> tuple[Launch, ...]:
    """Launches over the axes first .. last (with the batch as 0) of checked tensors."""
    outer = math.prod(x.shape[:first_axis])
    reduced = math.prod(x.shape[first_axis : last_axis + 1])
    inner = math.prod(x.shape[last_axis + 1 :])
    if not inner:
        return ()
    block_i = min(triton.next_power_of_2(inner), 64)
    block_r = max(1, min(triton.next_power_of_2(max(1, reduced)), TILE // block_i))
    source, target = x.view(outer, reduced, inner), out.view(outer, inner)
    return tuple(
        Launch(
            name=f"reduce_{function}",
            kernel=reduce_kernel,
            grid=((last - first) * triton.cdiv(inner, block_i), 1, 1),
            arguments={
                "x_ptr": source[first:last],
                "out_ptr": target[first:last],
            },
            constants={
                "REDUCED": reduced,
                "INNER": inner,
                "FUNCTION": function,
                "BLOCK_R": block_r,
                "BLOCK_I": block_i,
            },
            num_warps=min(4, warps_for(block_r * block_i)),
            num_stages=1,
        )
        for first, last in batch_ranges(outer, reduced * inner, inner)
    )


def reduce(
    function: Reduction, x: Tensor, axes: Sequence[int], *, out: Tensor | None = None
) -> Tensor:
    """Axes, counted without the batch, reduced to size 1: x [batch, *shape]; NaN passes through.

    ValueError for an unknown function, axes that are not neighbours (permute first), a mean, max or
    min of nothing, and what `check` refuses.
    """
    check(x=x)
    if function not in get_args(Reduction):
        raise ValueError(f"function={function!r} is not one of {', '.join(get_args(Reduction))}")
    rank = x.ndim - 1
    if not axes or any(not -rank <= axis < rank for axis in axes):
        raise ValueError(f"axes={tuple(axes)} must be some of the {rank} axes")
    places = sorted({axis % rank + 1 for axis in axes})
    if places != list(range(places[0], places[-1] + 1)):
        raise ValueError(f"axes={tuple(axes)} must be neighbours; permute x first")
    shape = [1 if axis in places else size for axis, size in enumerate(x.shape)]
    if function != "sum" and x.shape[0] and 0 in x.shape[1:]:
        raise ValueError(f"x {tuple(x.shape)} has nothing to take the {function} of")
    out = output(out, shape, x)
    for launch in reduce_launches(function, x, places[0], places[-1], out):
        launch.run()
    return out


def softmax_launches(x: Tensor, out: Tensor) -> tuple[Launch, ...]:
    """Launches for checked tensors."""
    columns = x.shape[-1]
    if not columns:
        return ()
    block = triton.next_power_of_2(columns)
    source, target = x.view(-1, columns), out.view(-1, columns)
    return tuple(
        Launch(
            name="softmax",
            kernel=softmax_kernel,
            grid=(last - first, 1, 1),
            arguments={
                "x_ptr": source[first:last],
                "out_ptr": target[first:last],
            },
            constants={"COLUMNS": columns, "BLOCK": block},
            num_warps=warps_for(block),
            num_stages=1,
        )
        for first, last in batch_ranges(source.shape[0], columns)
    )


def softmax(x: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Softmax over the last axis of x [..., columns].

    ValueError for rows of more than 16384 columns, and what `check` refuses.
    """
    check(x=x)
    if x.ndim < 1 or x.shape[-1] > MOST_COLUMNS:
        raise ValueError(f"x {tuple(x.shape)} must have rows of at most {MOST_COLUMNS} columns")
    out = output(out, x.shape, x, in_place=True)
    for launch in softmax_launches(x, out):
        launch.run()
    return out
