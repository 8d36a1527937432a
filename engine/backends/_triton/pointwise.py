"""Operations without a matrix product, on the Triton kernels of `kernels.pointwise`.

A function computes into `out`, and raises ValueError or TypeError for what its kernel refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from torch import Tensor

from engine.backends._triton.context import Context
from engine.program import graph
from engine.program.graph import Activation
from kernels.pointwise import (
    arithmetic,
    gather,
    moves,
    normalisation,
    pad,
    pooling,
    reduction,
    resample,
)

Function = Callable[[Any, Context, Sequence[Tensor], Tensor], object]


def _end(activation: Activation) -> dict[str, Any]:
    return {
        "activation": activation.kind,
        "alpha": activation.alpha,
        "beta": activation.beta,
    }


def _elementwise(op: graph.Elementwise, _: Context, values: Sequence[Tensor], out: Tensor) -> None:
    arithmetic.affine(values[0], **_end(op.activation), out=out)


def _affine(op: graph.Affine, context: Context, values: Sequence[Tensor], out: Tensor) -> None:
    scale = None if op.scale is None else context.put(op.scale)
    shift = None if op.shift is None else context.put(op.shift)
    arithmetic.affine(values[0], scale, shift, **_end(op.activation), out=out)


def _prelu(op: graph.PRelu, context: Context, values: Sequence[Tensor], out: Tensor) -> None:
    arithmetic.prelu(values[0], context.put(op.slope), out=out)


def _add(op: graph.Add, _: Context, values: Sequence[Tensor], out: Tensor) -> None:
    if len(values) == 1:
        arithmetic.affine(values[0], **_end(op.activation), out=out)
    else:
        arithmetic.add(*values, **_end(op.activation), out=out)


def _binary(op: graph.Binary, _: Context, values: Sequence[Tensor], out: Tensor) -> None:
    arithmetic.binary(op.function, values[0], values[1], **_end(op.activation), out=out)


def _softmax(_: graph.Softmax, __: Context, values: Sequence[Tensor], out: Tensor) -> None:
    reduction.softmax(values[0], out=out)


def _reduce(op: graph.Reduce, _: Context, values: Sequence[Tensor], out: Tensor) -> None:
    reduction.reduce(op.function, values[0], op.axes, out=out)


def _pool(op: graph.Pool, _: Context, values: Sequence[Tensor], out: Tensor) -> None:
    pooling.pool(op.function, values[0], op.geometry, count_outside=op.count_outside, out=out)


def _concat(op: graph.Concat, _: Context, values: Sequence[Tensor], out: Tensor) -> None:
    moves.concat(values, op.axis, out=out)


def _permute(op: graph.Permute, _: Context, values: Sequence[Tensor], out: Tensor) -> None:
    moves.permute(values[0], [axis % len(op.axes) for axis in op.axes], out=out)


def _slice(op: graph.Slice, _: Context, values: Sequence[Tensor], out: Tensor) -> None:
    moves.take(values[0], op.begin, op.sizes, op.step, out=out)


def _pad(op: graph.Pad, _: Context, values: Sequence[Tensor], out: Tensor) -> None:
    pad.pad(values[0], op.before, op.after, op.mode, op.value, out=out)


def _upsample(op: graph.Upsample, _: Context, values: Sequence[Tensor], out: Tensor) -> None:
    moves.upsample(values[0], op.scales, out=out)


def _resample(op: graph.Resample, context: Context, values: Sequence[Tensor], out: Tensor) -> None:
    (x,) = values
    axes = [axis for axis, matrix in enumerate(op.matrices) if matrix is not None]
    if not axes:
        out.copy_(x)
    for axis in axes:
        packed = context.packed(op.matrices[axis], resample.pack_matrix)
        x = resample.resample(x, packed, axis, out=out if axis == axes[-1] else None)


def _instance_norm(
    op: graph.InstanceNorm, context: Context, values: Sequence[Tensor], out: Tensor
) -> None:
    normalisation.instance_norm(
        values[0],
        context.put(op.scale),
        context.put(op.shift),
        op.epsilon,
        groups=op.groups,
        **_end(op.activation),
        out=out,
    )


def _layer_norm(
    op: graph.LayerNorm, context: Context, values: Sequence[Tensor], out: Tensor
) -> None:
    scale, shift = context.put(op.scale), context.put(op.shift)
    normalisation.layer_norm(values[0], scale, shift, op.epsilon, out=out)


def _embedding(
    op: graph.Embedding, context: Context, values: Sequence[Tensor], out: Tensor
) -> None:
    gather.embedding(values[0], context.put(op.table), out=out)


def _constant(op: graph.Constant, context: Context, _: Sequence[Tensor], out: Tensor) -> None:
    # Its bytes are others' between two runs, as all of the arena's are.
    out.copy_(context.put(op.value))


FUNCTIONS: Mapping[type[graph.Operation], Function] = cast(
    Mapping[type[graph.Operation], Function],
    {
        graph.Elementwise: _elementwise,
        graph.Affine: _affine,
        graph.PRelu: _prelu,
        graph.Add: _add,
        graph.Binary: _binary,
        graph.Softmax: _softmax,
        graph.Reduce: _reduce,
        graph.Pool: _pool,
        graph.Concat: _concat,
        graph.Permute: _permute,
        graph.Slice: _slice,
        graph.Pad: _pad,
        graph.Upsample: _upsample,
        graph.Resample: _resample,
        graph.InstanceNorm: _instance_norm,
        graph.LayerNorm: _layer_norm,
        graph.Embedding: _embedding,
        graph.Constant: _constant,
    },
)
