"""Weights of a Program rounded to half precision: half the file, arithmetic still in float32."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from engine.core.errors import ExportError
from engine.program.graph import Operation, Program

# Vectors (shifts, norms) are a thousandth of the file, and rounding them costs accuracy.
_LOWEST_RANK = 2


def round_weights(program: Program) -> Program:
    """The same Program with every array of two axes or more rounded through float16.

    The matrices of a Resample are no weights, but those of an interpolation, and stay exact.
    Raises ExportError for a weight beyond float16's largest number, 65504.
    """
    operations = tuple(_rounded(operation) for operation in program.operations)
    return dataclasses.replace(program, operations=operations)


def _rounded(operation: Operation) -> Operation:
    changes = {
        name: _half(value, name, operation)
        for name, value in vars(operation).items()
        if isinstance(value, np.ndarray) and value.ndim >= _LOWEST_RANK
    }
    return dataclasses.replace(operation, **changes)


def _half(array: Any, name: str, operation: Operation) -> Any:
    with np.errstate(over="ignore"):
        rounded = array.astype(np.float16).astype(np.float32)
    if not np.isfinite(rounded).all():
        raise ExportError(
            f"{name} of the {operation.kind} {operation.name!r} holds "
            f"{np.abs(array).max():.4g}, more than float16 can (65504); use --precision fp32"
        )
    return rounded
