"""Shapes of what multiplies by weights, and of what mixes positions."""

from __future__ import annotations

from engine.program.graph import (
    Convolution,
    Embedding,
    Linear,
    MatMul,
    Pool,
    Recurrent,
    Resample,
)
from engine.program.shapes.common import Shapes, broadcast, one, per_axis, same, vector
from kernels.geometry import Geometry

_GATES = {"lstm": 4, "gru": 3}
_STATES = {"lstm": 2, "gru": 1}


def convolution(operation: Convolution, given: Shapes) -> Shapes:
    """[*input_size, in] -> [*output_size, out]."""
    geometry, groups, weight = operation.geometry, operation.groups, operation.weight
    _check_rank(geometry)
    if weight.ndim != geometry.rank + 2 or weight.shape[: geometry.rank] != geometry.kernel:
        raise ValueError(f"weight {list(weight.shape)}, kernel {list(geometry.kernel)}")
    inside, out = weight.shape[geometry.rank :]
    if groups < 1 or out % groups:
        raise ValueError(f"groups={groups} with {out} output channels")
    same("input", one(given), (*geometry.input_size, inside * groups))
    vector("shift", operation.shift, out)
    return ((*geometry.output_size, out),)


def linear(operation: Linear, given: Shapes) -> Shapes:
    """[..., in] -> [..., out]."""
    shape, weight = one(given), operation.weight
    if weight.ndim != 2 or not shape or weight.shape[0] != shape[-1]:
        raise ValueError(f"weight {list(weight.shape)} for input {list(shape)}")
    vector("shift", operation.shift, weight.shape[1])
    return ((*shape[:-1], weight.shape[1]),)


def matmul(_: MatMul, given: Shapes) -> Shapes:
    """[*axes, m, k] and [*axes, k, n] -> [*axes, m, n]."""
    if len(given) != 2 or min(len(shape) for shape in given) < 2:
        raise ValueError("takes two inputs of at least two axes")
    first, second = given
    same("inner size", first[-1:], second[-2:-1])
    return ((*broadcast(first[:-2], second[:-2]), first[-2], second[-1]),)


def pool(operation: Pool, given: Shapes) -> Shapes:
    """[*input_size, C] -> [*output_size, C]."""
    shape, geometry = one(given), operation.geometry
    _check_rank(geometry)
    if geometry.direction != "forward":
        raise ValueError("windows of a pool are those of a forward geometry")
    same("input", shape[:-1], geometry.input_size)
    return ((*geometry.output_size, shape[-1]),)


def resample(operation: Resample, given: Shapes) -> Shapes:
    """[*sizes, C] -> [*new sizes, C]."""
    shape = one(given)
    per_axis("matrices", operation.matrices, len(shape) - 1)
    sizes = []
    for size, matrix in zip(shape, operation.matrices, strict=False):
        if matrix is not None:
            same("matrix", matrix.shape[1:], (size,))
        sizes.append(size if matrix is None else matrix.shape[0])
    return ((*sizes, shape[-1]),)


def embedding(operation: Embedding, given: Shapes) -> Shapes:
    """[*positions] -> [*positions, *shape] of table [classes, *shape]."""
    if operation.table.ndim < 1 or not operation.table.shape[0]:
        raise ValueError("the table has no rows")
    return ((*one(given), *operation.table.shape[1:]),)


def recurrent(operation: Recurrent, given: Shapes) -> Shapes:
    """[time, features] -> [time, hidden], and the last states [hidden]."""
    states = _STATES[operation.cell]
    if len(given) not in (1, 1 + states) or len(given[0]) != 2:
        raise ValueError(f"takes a sequence and none or {states} states, not {len(given)} inputs")
    time, features = given[0]
    hidden, gates = operation.recurrent.shape[0], _GATES[operation.cell]
    same("recurrent", operation.recurrent.shape, (hidden, gates * hidden))
    same("weight", operation.weight.shape, (features, gates * hidden))
    vector("bias", operation.bias, gates * hidden)
    vector("recurrent_bias", operation.recurrent_bias, gates * hidden)
    for shape in given[1:]:
        same("initial state", shape, (hidden,))
    return ((time, hidden), *(((hidden,),) * states))


def _check_rank(geometry: Geometry) -> None:
    if not 1 <= geometry.rank <= 3:
        raise ValueError(f"there are 1 to 3 axes, not {geometry.rank}")
    # Kernels count in 32 bits.
    for sizes in (geometry.stride, geometry.padding, geometry.dilation):
        if max(sizes) >= 1 << 31:
            raise ValueError(f"strides, padding and dilation lie below 2**31, not {sizes}")
