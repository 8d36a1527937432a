"""Operations that mix positions or channels and are no layers, as steps."""

from __future__ import annotations

import math
from functools import partial

from engine.backends._native.described import described
from engine.backends._native.draft import Draft
from engine.backends._native.pointwise import repeated
from engine.backends._native.rows import rows_read
from engine.backends._native.steps import ELSEWHERE
from engine.program.graph import (
    InstanceNorm,
    LayerNorm,
    MatMul,
    Pool,
    Reduce,
    Resample,
    Softmax,
)
from kernels.native.network import ACTIVATIONS, geometry_integers

_POOLS = ("mean", "max")
_REDUCTIONS = ("mean", "sum", "max", "min")


def matmul(operation: MatMul, draft: Draft) -> None:
    """Products of matrices, over equal leading axes."""
    first, second = operation.inputs
    (*_, m, k), (*_, n) = draft.shape(first), draft.shape(second)
    leading = draft.shape(operation.outputs[0])[:-2]
    first = repeated(operation, draft, first, (*leading, m, k))
    second = repeated(operation, draft, second, (*leading, k, n))
    draft.step(
        operation,
        "matmul",
        draft.wide,
        inputs=(first, second),
        integers=(math.prod(leading), m, k, n),
        reads=None,
    )


def softmax(operation: Softmax, draft: Draft) -> None:
    """Over the channels."""
    draft.step(operation, "softmax", draft.wide, reads=None)


def reduce(operation: Reduce, draft: Draft) -> None:
    """A mean, sum, maximum or minimum over axes."""
    shape = draft.shape(operation.inputs[0])
    axes = {axis % len(shape) for axis in operation.axes}
    draft.step(
        operation,
        "reduce",
        draft.wide,
        integers=(
            _REDUCTIONS.index(operation.function),
            *described(shape),
            *(int(axis in axes) for axis in range(max(1, len(shape)))),
        ),
        reads=None,
    )


def pool(operation: Pool, draft: Draft) -> None:
    """A mean or maximum over windows."""
    geometry = operation.geometry
    draft.step(
        operation,
        "pool",
        draft.wide,
        integers=(
            *geometry_integers(geometry),
            _POOLS.index(operation.function),
            int(operation.count_outside),
        ),
        input_rows=geometry.input_size[0],
        reads=partial(rows_read, geometry),
    )


def resample(operation: Resample, draft: Draft) -> None:
    """Positions mixed axis by axis."""
    shape, made = draft.shape(operation.inputs[0]), draft.shape(operation.outputs[0])
    draft.step(
        operation,
        "resample",
        draft.wide,
        integers=(*described(shape), *made[:-1]),
        arrays=operation.matrices,
        input_rows=ELSEWHERE,
    )


def layer_norm(operation: LayerNorm, draft: Draft) -> None:
    """Over the channels."""
    draft.step(
        operation,
        "layer_norm",
        draft.wide,
        numbers=(operation.epsilon,),
        arrays=(operation.scale, operation.shift),
        reads=None,
    )


def instance_norm(operation: InstanceNorm, draft: Draft) -> None:
    """Over positions, for each channel or group of them."""
    end = operation.activation
    draft.step(
        operation,
        "instance_norm",
        draft.wide,
        integers=(operation.groups or 0, ACTIVATIONS.index(end.kind)),
        numbers=(operation.epsilon, end.alpha),
        arrays=(operation.scale, operation.shift),
        reads=None,
    )
