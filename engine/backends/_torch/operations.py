"""Operations other than layers, in torch: values [batch, *shape], channels last.

A function takes the operation, `put`, which gives an array of the Program as a tensor where and in
which type it is needed, and the operation's values; it gives its results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.backends._torch.activation import activate
from engine.backends._torch.recurrent import recurrent
from engine.backends._torch.views import Put
from engine.program import graph
from kernels.geometry import Geometry

_REDUCE: Mapping[str, Callable[[Tensor, tuple[int, ...]], Tensor]] = {
    "mean": lambda x, axes: x.mean(axes, keepdim=True),
    "sum": lambda x, axes: x.sum(axes, keepdim=True),
    "max": lambda x, axes: x.amax(axes, keepdim=True),
    "min": lambda x, axes: x.amin(axes, keepdim=True),
}
_BINARY: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "max": torch.maximum,
    "min": torch.minimum,
}


def _axis(axis: int) -> int:
    """An axis counted without the batch as one counted with it."""
    return axis + 1 if axis >= 0 else axis


def _elementwise(op: graph.Elementwise, _: Put, x: Tensor) -> Tensor:
    return activate(x, op.activation)


def _affine(op: graph.Affine, put: Put, x: Tensor) -> Tensor:
    if op.scale is not None:
        x = x * put(op.scale)
    if op.shift is not None:
        x = x + put(op.shift)
    return activate(x, op.activation)


def _prelu(op: graph.PRelu, put: Put, x: Tensor) -> Tensor:
    return torch.where(x < 0, put(op.slope) * x, x)


def _add(op: graph.Add, _: Put, *values: Tensor) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return activate(total, op.activation)


def _binary(op: graph.Binary, _: Put, a: Tensor, b: Tensor) -> Tensor:
    return activate(_BINARY[op.function](a, b), op.activation)


def _matmul(_: graph.MatMul, __: Put, a: Tensor, b: Tensor) -> Tensor:
    return a @ b


def _softmax(_: graph.Softmax, __: Put, x: Tensor) -> Tensor:
    return x.softmax(-1)


def _reduce(op: graph.Reduce, _: Put, x: Tensor) -> Tensor:
    axes = tuple(_axis(axis) for axis in op.axes)
    # No axes at all mean all of them to torch.
    return _REDUCE[op.function](x, axes) if axes else x


def _pool(op: graph.Pool, _: Put, x: Tensor) -> Tensor:
    """A window's elements side by side: any geometry, also those that torch's pooling has not."""
    geometry = op.geometry
    empty = -torch.inf if op.function == "max" else 0.0
    padded = torch.cat([x.flatten(1, -2), x.new_full((len(x), 1, x.shape[-1]), empty)], 1)
    windows, inside = _windows(geometry)
    gathered = padded[:, windows.to(x.device)]
    if op.function == "max":
        reduced = gathered.amax(2)
    else:
        count = geometry.taps if op.count_outside else inside.to(x)[:, None]
        reduced = gathered.sum(2) / count
    return reduced.reshape(len(x), *geometry.output_size, x.shape[-1])


def _windows(geometry: Geometry) -> tuple[Tensor, Tensor]:
    """Input positions [output positions, taps], one past the last where there is none; counts."""
    outside = geometry.positions_in
    places = torch.zeros(1, 1, dtype=torch.int64)
    inside = torch.ones(1, 1, dtype=torch.bool)
    for axis in range(geometry.rank):
        line = torch.zeros(geometry.output_size[axis], geometry.kernel[axis], dtype=torch.int64)
        met = torch.zeros_like(line, dtype=torch.bool)
        for output in range(geometry.output_size[axis]):
            for tap, source in geometry.inputs_of(axis, output):
                line[output, tap], met[output, tap] = source, True
        places = places[:, None, :, None] * geometry.input_size[axis] + line[None, :, None, :]
        inside = inside[:, None, :, None] & met[None, :, None, :]
        places, inside = (item.flatten(2, 3).flatten(0, 1) for item in (places, inside))
    return torch.where(inside, places, outside), inside.sum(1)


def _concat(op: graph.Concat, _: Put, *values: Tensor) -> Tensor:
    return torch.cat(values, _axis(op.axis))


def _reshape(op: graph.Reshape, _: Put, x: Tensor) -> Tensor:
    return x.reshape(len(x), *op.shape)


def _permute(op: graph.Permute, _: Put, x: Tensor) -> Tensor:
    return x.permute(0, *(_axis(axis) for axis in op.axes))


def _slice(op: graph.Slice, _: Put, x: Tensor) -> Tensor:
    for axis, (first, count, step) in enumerate(
        zip(op.begin, op.sizes, op.step, strict=True), start=1
    ):
        x = x.index_select(axis, first + step * torch.arange(count, device=x.device))
    return x


def _pad(op: graph.Pad, _: Put, x: Tensor) -> Tensor:
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


def _upsample(op: graph.Upsample, _: Put, x: Tensor) -> Tensor:
    for axis, scale in enumerate(op.scales, start=1):
        x = x.repeat_interleave(scale, axis)
    return x


def _resample(op: graph.Resample, put: Put, x: Tensor) -> Tensor:
    for axis, matrix in enumerate(op.matrices, start=1):
        if matrix is not None:
            x = (x.movedim(axis, -1) @ put(matrix).t()).movedim(-1, axis)
    return x


def _instance_norm(op: graph.InstanceNorm, put: Put, x: Tensor) -> Tensor:
    first = x.movedim(-1, 1)
    groups = first.shape[1] if op.groups is None else op.groups
    normal = F.group_norm(first, groups, put(op.scale), put(op.shift), op.epsilon)
    return activate(normal.movedim(1, -1), op.activation)


def _layer_norm(op: graph.LayerNorm, put: Put, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], put(op.scale), put(op.shift), op.epsilon)


def _embedding(op: graph.Embedding, put: Put, index: Tensor) -> Tensor:
    return put(op.table)[index]


# All operations but Constant, Convolution and Linear.
FUNCTIONS: Mapping[type[graph.Operation], Callable[..., Any]] = {
    graph.Elementwise: _elementwise,
    graph.Affine: _affine,
    graph.PRelu: _prelu,
    graph.Add: _add,
    graph.Binary: _binary,
    graph.MatMul: _matmul,
    graph.Softmax: _softmax,
    graph.Reduce: _reduce,
    graph.Pool: _pool,
    graph.Concat: _concat,
    graph.Reshape: _reshape,
    graph.Permute: _permute,
    graph.Slice: _slice,
    graph.Pad: _pad,
    graph.Upsample: _upsample,
    graph.Resample: _resample,
    graph.InstanceNorm: _instance_norm,
    graph.LayerNorm: _layer_norm,
    graph.Embedding: _embedding,
    graph.Recurrent: recurrent,
}
