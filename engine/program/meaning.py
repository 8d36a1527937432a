"""What every operation of a Program means: its fields handed to the plain definitions.

Each function takes the operation and its values [batch, *shape], and gives its float64 results in
the order of the operation's outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import OptionError
from engine.program import graph
from engine.program.graph import Activation, Array, Operation
from kernels.reference import (
    arithmetic,
    layout,
    linear,
    normalisation,
    pooling,
    reduction,
    resampling,
)
from kernels.reference import recurrent as cells
from kernels.reference.activation import activation
from kernels.reference.convolution import convolution

Doubles = NDArray[np.float64]
Meaning = Callable[..., Array | tuple[Array, ...]]


def _end(value: Array, end: Activation) -> Doubles:
    return activation(value, end.kind, end.alpha, end.beta)


def _axis(axis: int) -> int:
    """An axis counted without the batch as one counted with it."""
    return axis + 1 if axis >= 0 else axis


def _convolution(op: graph.Convolution, x: Array) -> Doubles:
    out = convolution(x, op.weight, op.geometry, op.groups)
    return _end(arithmetic.affine(out, shift=op.shift), op.activation)


def _linear(op: graph.Linear, x: Array) -> Doubles:
    return _end(arithmetic.affine(linear.linear(x, op.weight), shift=op.shift), op.activation)


def _elementwise(op: graph.Elementwise, x: Array) -> Doubles:
    return _end(x, op.activation)


def _affine(op: graph.Affine, x: Array) -> Doubles:
    return _end(arithmetic.affine(x, op.scale, op.shift), op.activation)


def _prelu(op: graph.PRelu, x: Array) -> Doubles:
    return arithmetic.prelu(x, op.slope)


def _add(op: graph.Add, *values: Array) -> Doubles:
    return _end(arithmetic.add(*values), op.activation)


def _binary(op: graph.Binary, a: Array, b: Array) -> Doubles:
    return _end(arithmetic.binary(op.function, a, b), op.activation)


def _matmul(op: graph.MatMul, a: Array, b: Array) -> Doubles:
    return linear.matmul(a, b)


def _softmax(op: graph.Softmax, x: Array) -> Doubles:
    return reduction.softmax(x)


def _reduce(op: graph.Reduce, x: Array) -> Doubles:
    return reduction.reduce(x, op.function, [_axis(axis) for axis in op.axes])


def _pool(op: graph.Pool, x: Array) -> Doubles:
    if op.function == "max":
        return pooling.max_pool(x, op.geometry)
    return pooling.average_pool(x, op.geometry, op.count_outside)


def _concat(op: graph.Concat, *values: Array) -> Doubles:
    return layout.concat(*values, axis=_axis(op.axis))


def _reshape(op: graph.Reshape, x: Array) -> Array:
    return x.reshape(len(x), *op.shape)


def _permute(op: graph.Permute, x: Array) -> Array:
    return x.transpose(0, *(_axis(axis) for axis in op.axes))


def _slice(op: graph.Slice, x: Array) -> Doubles:
    return layout.take(x, op.begin, op.sizes, op.step)


def _pad(op: graph.Pad, x: Array) -> Doubles:
    return layout.pad(x, op.before, op.after, op.mode, op.value)


def _upsample(op: graph.Upsample, x: Array) -> Doubles:
    return resampling.upsample(x, op.scales)


def _resample(op: graph.Resample, x: Array) -> Doubles:
    return resampling.resample(x, op.matrices)


def _instance_norm(op: graph.InstanceNorm, x: Array) -> Doubles:
    if op.groups is None:
        out = normalisation.instance_norm(x, op.scale, op.shift, op.epsilon)
    else:
        out = normalisation.group_norm(x, op.groups, op.scale, op.shift, op.epsilon)
    return _end(out, op.activation)


def _layer_norm(op: graph.LayerNorm, x: Array) -> Doubles:
    return normalisation.layer_norm(x, op.scale, op.shift, op.epsilon)


def _embedding(op: graph.Embedding, index: Array) -> Doubles:
    # A label is the caller's number, not the program's, so the error is the caller's too.
    if index.size and not 0 <= index.min() <= index.max() < len(op.table):
        raise OptionError(
            f"{op.name} looks up {index.min()} to {index.max()}; give 0 to {len(op.table) - 1}"
        )
    return layout.embedding(index, op.table)


def _recurrent(
    op: graph.Recurrent, x: Array, h: Array | None = None, c: Array | None = None
) -> tuple[Doubles, ...]:
    weights = cells.Weights(op.cell, op.weight, op.recurrent, op.bias, op.recurrent_bias)
    states, last_h, last_c = cells.sequence(
        x, weights, h, c, reverse=op.reverse, linear_before_reset=op.linear_before_reset
    )
    return (states, last_h) if last_c is None else (states, last_h, last_c)


# Every operation but Constant, which has no values to take its batch from.
MEANINGS: Mapping[type[Operation], Meaning] = {
    graph.Convolution: _convolution,
    graph.Linear: _linear,
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
    graph.Recurrent: _recurrent,
}
