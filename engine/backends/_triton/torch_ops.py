"""Operations in torch, in float32: those without a Triton kernel, and shapes that kernels refuse.

MatMul is cuBLAS's own ground. The others have kernels, which refuse rows of more than 16384
elements, axes that are no neighbours, more than four axes, and moves of integers and uint8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.backends._triton.context import Context
from engine.program import graph

_REDUCE: Mapping[str, Callable[[Tensor, tuple[int, ...]], Tensor]] = {
    "mean": lambda x, axes: x.mean(axes, keepdim=True),
    "sum": lambda x, axes: x.sum(axes, keepdim=True),
    "max": lambda x, axes: x.amax(axes, keepdim=True),
    "min": lambda x, axes: x.amin(axes, keepdim=True),
}


def _axis(axis: int) -> int:
    """An axis counted without the batch as one counted with it."""
    return axis + 1 if axis >= 0 else axis


def _matmul(_: graph.MatMul, __: Context, a: Tensor, b: Tensor) -> Tensor:
    return a @ b


def _softmax(_: graph.Softmax, __: Context, x: Tensor) -> Tensor:
    return x.softmax(-1)


def _reduce(op: graph.Reduce, _: Context, x: Tensor) -> Tensor:
    axes = tuple(_axis(axis) for axis in op.axes)
    # No axes at all mean all of them to torch.
    return _REDUCE[op.function](x, axes) if axes else x


def _layer_norm(op: graph.LayerNorm, context: Context, x: Tensor) -> Tensor:
    scale, shift = context.put(op.scale), context.put(op.shift)
    return F.layer_norm(x, x.shape[-1:], scale, shift, op.epsilon)


def _permute(op: graph.Permute, _: Context, x: Tensor) -> Tensor:
    return x.permute(0, *(_axis(axis) for axis in op.axes))


def _concat(op: graph.Concat, _: Context, *values: Tensor) -> Tensor:
    return torch.cat(values, _axis(op.axis))


def _slice(op: graph.Slice, _: Context, x: Tensor) -> Tensor:
    for axis, (first, count, step) in enumerate(
        zip(op.begin, op.sizes, op.step, strict=True), start=1
    ):
        x = x.index_select(axis, first + step * torch.arange(count, device=x.device))
    return x


def _pad(op: graph.Pad, _: Context, x: Tensor) -> Tensor:
    if op.mode == "constant":
        sides = zip(reversed(op.before), reversed(op.after), strict=True)
        return F.pad(x, [side for pair in sides for side in pair], value=op.value)
    for axis, (before, after) in enumerate(zip(op.before, op.after, strict=True), start=1):
        size = x.shape[axis]
        place = torch.arange(-before, size + after, device=x.device)
        if op.mode == "edge":
            place = place.clamp(0, size - 1)
        elif op.mode == "wrap":
            place = place % size
        else:
            period = max(1, 2 * (size - 1))
            place = torch.minimum(place % period, -place % period)
        x = x.index_select(axis, place)
    return x


FUNCTIONS: Mapping[type[graph.Operation], Callable[..., Any]] = {
    graph.MatMul: _matmul,
    graph.Softmax: _softmax,
    graph.Reduce: _reduce,
    graph.LayerNorm: _layer_norm,
    graph.Permute: _permute,
    graph.Concat: _concat,
    graph.Slice: _slice,
    graph.Pad: _pad,
}
