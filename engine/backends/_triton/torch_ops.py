"""Operations in torch, in float32: for those that have no Triton kernel of their own."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.backends._triton import torch_moves
from engine.backends._triton.activations import activate
from engine.backends._triton.context import Context
from engine.backends._triton.torch_recurrent import recurrent
from engine.program import graph
from kernels.geometry import Geometry

_BINARY: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "max": torch.maximum,
    "min": torch.minimum,
}
_REDUCE: Mapping[str, Callable[[Tensor, tuple[int, ...]], Tensor]] = {
    "mean": lambda x, axes: x.mean(axes, keepdim=True),
    "sum": lambda x, axes: x.sum(axes, keepdim=True),
    "max": lambda x, axes: x.amax(axes, keepdim=True),
    "min": lambda x, axes: x.amin(axes, keepdim=True),
}


def elementwise(operation: graph.Elementwise, _: Context, x: Tensor) -> Tensor:
    """An activation."""
    return activate(x, operation.activation)


def add(operation: graph.Add, _: Context, *values: Tensor) -> Tensor:
    """act(a + b + ...)."""
    total = values[0]
    for value in values[1:]:
        total = total + value
    return activate(total, operation.activation)


def binary(operation: graph.Binary, _: Context, a: Tensor, b: Tensor) -> Tensor:
    """act(a <function> b)."""
    return activate(_BINARY[operation.function](a, b), operation.activation)


def affine(operation: graph.Affine, context: Context, x: Tensor) -> Tensor:
    """act(x * scale + shift)."""
    if operation.scale is not None:
        x = x * context.put(operation.scale)
    if operation.shift is not None:
        x = x + context.put(operation.shift)
    return activate(x, operation.activation)


def prelu(operation: graph.PRelu, context: Context, x: Tensor) -> Tensor:
    """A slope below zero."""
    return torch.where(x < 0, x * context.put(operation.slope), x)


def matmul(_: graph.MatMul, __: Context, a: Tensor, b: Tensor) -> Tensor:
    """a @ b."""
    return a @ b


def softmax(_: graph.Softmax, __: Context, x: Tensor) -> Tensor:
    """Over the last axis."""
    return x.softmax(-1)


def reduce(operation: graph.Reduce, _: Context, x: Tensor) -> Tensor:
    """Over axes that stay."""
    axes = tuple(axis + 1 if axis >= 0 else axis for axis in operation.axes)
    return _REDUCE[operation.function](x, axes) if axes else x


def pool(operation: graph.Pool, _: Context, x: Tensor) -> Tensor:
    """The mean or max of windows, one tap after the other over shifted views."""
    geometry = operation.geometry
    is_max = operation.function == "max"
    fill = -math.inf if is_max else 0.0
    sides = []
    for axis in reversed(range(geometry.rank)):
        reach = (geometry.output_size[axis] - 1) * geometry.stride[axis]
        reach += (geometry.kernel[axis] - 1) * geometry.dilation[axis] + 1
        low = geometry.padding[axis]
        sides += [low, max(0, reach - low - geometry.input_size[axis])]
    inside = F.pad(torch.ones_like(x[:1, ..., :1]), [0, 0, *sides])
    padded = F.pad(x, [0, 0, *sides], value=fill)
    windows = [_window(geometry, tap) for tap in product(*map(range, geometry.kernel))]
    if is_max:
        return functools.reduce(torch.maximum, (padded[window] for window in windows))
    total = functools.reduce(torch.add, (padded[window] for window in windows))
    if operation.count_outside:
        return total / geometry.taps
    return total / functools.reduce(torch.add, (inside[window] for window in windows))


def resample(operation: graph.Resample, context: Context, x: Tensor) -> Tensor:
    """Positions mixed axis by axis."""
    for axis, matrix in enumerate(operation.matrices, start=1):
        if matrix is not None:
            x = torch.tensordot(context.put(matrix), x.movedim(axis, 0), 1).movedim(0, axis)
    return x


def instance_norm(operation: graph.InstanceNorm, context: Context, x: Tensor) -> Tensor:
    """Over positions, of a channel or of a group of channels."""
    groups = operation.groups or x.shape[-1]
    parts = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
    variance, mean = torch.var_mean(parts, (1, 3), correction=0, keepdim=True)
    normed = ((parts - mean) * (variance + operation.epsilon).rsqrt()).reshape(x.shape)
    scaled = normed * context.put(operation.scale) + context.put(operation.shift)
    return activate(scaled, operation.activation)


def layer_norm(operation: graph.LayerNorm, context: Context, x: Tensor) -> Tensor:
    """Over the last axis."""
    scale, shift = context.put(operation.scale), context.put(operation.shift)
    return F.layer_norm(x, x.shape[-1:], scale, shift, operation.epsilon)


def _window(geometry: Geometry, tap: tuple[int, ...]) -> tuple[slice, ...]:
    """What one tap sees of a padded map, for every output position."""
    return slice(None), *(
        slice(place * gap, place * gap + (size - 1) * step + 1, step)
        for place, gap, size, step in zip(
            tap, geometry.dilation, geometry.output_size, geometry.stride, strict=True
        )
    )


Function = Callable[..., Tensor | tuple[Tensor, ...]]
FUNCTIONS: Mapping[type[graph.Operation], Function] = {
    graph.Elementwise: elementwise,
    graph.Add: add,
    graph.Binary: binary,
    graph.Affine: affine,
    graph.PRelu: prelu,
    graph.MatMul: matmul,
    graph.Softmax: softmax,
    graph.Reduce: reduce,
    graph.Pool: pool,
    graph.Resample: resample,
    graph.InstanceNorm: instance_norm,
    graph.LayerNorm: layer_norm,
    graph.Recurrent: recurrent,
    graph.Reshape: torch_moves.reshape,
    graph.Permute: torch_moves.permute,
    graph.Concat: torch_moves.concat,
    graph.Slice: torch_moves.cut,
    graph.Pad: torch_moves.pad,
    graph.Upsample: torch_moves.upsample,
    graph.Embedding: torch_moves.embedding,
    graph.Constant: torch_moves.constant,
}
