"""Moves in torch: operations that put elements elsewhere, or repeat them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.backends._triton.context import Context
from engine.program import graph


def reshape(operation: graph.Reshape, _: Context, x: Tensor) -> Tensor:
    """[batch, *shape]."""
    return x.reshape(len(x), *operation.shape)


def permute(operation: graph.Permute, _: Context, x: Tensor) -> Tensor:
    """Axes in another order."""
    return x.permute(0, *(_axis(axis) for axis in operation.axes))


def concat(operation: graph.Concat, _: Context, *values: Tensor) -> Tensor:
    """One after the other."""
    return torch.cat(values, _axis(operation.axis))


def cut(operation: graph.Slice, _: Context, x: Tensor) -> Tensor:
    """Every step-th element of each axis."""
    for axis, (first, count, step) in enumerate(
        zip(operation.begin, operation.sizes, operation.step, strict=True), start=1
    ):
        index = first + step * torch.arange(count, device=x.device)
        x = x.index_select(axis, index)
    return x


def pad(operation: graph.Pad, _: Context, x: Tensor) -> Tensor:
    """More positions on each side; reflect, edge and wrap by their indices."""
    if operation.mode == "constant":
        sides = zip(reversed(operation.before), reversed(operation.after), strict=True)
        return F.pad(x, [side for pair in sides for side in pair], value=operation.value)
    for axis, (before, after) in enumerate(
        zip(operation.before, operation.after, strict=True), start=1
    ):
        index = _sources(operation.mode, x.shape[axis], before, after, x.device)
        x = x.index_select(axis, index)
    return x


def upsample(operation: graph.Upsample, _: Context, x: Tensor) -> Tensor:
    """Every position repeated."""
    for axis, scale in enumerate(operation.scales, start=1):
        x = x.repeat_interleave(scale, axis, output_size=x.shape[axis] * scale)
    return x


def embedding(operation: graph.Embedding, context: Context, index: Tensor) -> Tensor:
    """Rows of the table."""
    return context.put(operation.table)[index]


def constant(operation: graph.Constant, context: Context) -> Tensor:
    """The same for every sample."""
    return context.put(operation.value).expand(context.batch, *operation.value.shape)


def _axis(axis: int) -> int:
    return axis + 1 if axis >= 0 else axis


def _sources(mode: str, size: int, before: int, after: int, device: torch.device) -> Tensor:
    place = torch.arange(-before, size + after, device=device)
    if mode == "edge":
        return place.clamp(0, size - 1)
    if mode == "wrap":
        return place % size
    period = max(1, 2 * (size - 1))
    place = place % period
    return torch.where(place < size, place, period - place)
