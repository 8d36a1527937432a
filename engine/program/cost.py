"""What one sample costs: useful floating-point operations, and how many numbers are stored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields

import numpy as np

from engine.program.graph import Convolution, Linear, MatMul, Operation, Recurrent, Resample, Value


def flops(operation: Operation, values: Mapping[str, Value]) -> int:
    """Useful FLOPs of the products of one sample: 2 for each multiplication and addition.

    Taps outside the map do not count, nor do elementwise functions, norms and reductions.
    """
    shape = values[operation.inputs[0]].shape if operation.inputs else ()
    made = values[operation.outputs[0]].shape
    work = 0
    match operation:
        case Convolution():
            inside, out = operation.weight.shape[-2:]
            work = 2 * inside * out * operation.geometry.useful_products()
        case Linear():
            work = 2 * math.prod(shape[:-1]) * operation.weight.size
        case MatMul():
            work = 2 * math.prod(made) * shape[-1]
        case Recurrent():
            work = 2 * shape[0] * (operation.weight.size + operation.recurrent.size)
        case Resample():
            work = _resample(operation, shape)
    return work


def parameters(operation: Operation) -> int:
    """Numbers of the model that an operation holds."""
    return sum(
        part.size
        for entry in fields(operation)
        for part in _parts(getattr(operation, entry.name))
        if isinstance(part, np.ndarray)
    )


def _parts(value: object) -> tuple[object, ...]:
    return value if isinstance(value, tuple) else (value,)


def _resample(operation: Resample, shape: tuple[int, ...]) -> int:
    """Axis by axis, first to last, each over the sizes that the ones before have left."""
    sizes, total = list(shape), 0
    for axis, matrix in enumerate(operation.matrices):
        if matrix is not None:
            sizes[axis] = matrix.shape[0]
            total += 2 * math.prod(sizes) * int(np.count_nonzero(matrix)) // matrix.shape[0]
    return total
