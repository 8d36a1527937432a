"""Elementwise arithmetic on values of one shape, and per channel."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]


def add(*values: ArrayLike) -> Doubles:
    """Sum of values of one shape, left to right, in float64. ValueError for other shapes."""
    return functools.reduce(operator.add, _same_shape(values))


def multiply(*values: ArrayLike) -> Doubles:
    """Product of values of one shape, left to right, in float64. ValueError for other shapes."""
    return functools.reduce(operator.mul, _same_shape(values))


def affine(x: ArrayLike, scale: ArrayLike | None = None, shift: ArrayLike | None = None) -> Doubles:
    """x * scale + shift, in float64: x [..., channels]; [channels] is one number a channel.

    scale and shift broadcast to x by numpy's rule; None leaves its step out. ValueError if they do
    not fit.
    """
    x = np.asarray(x, np.float64)
    if scale is not None:
        x = x * _broadcast("scale", scale, x.shape)
    return x if shift is None else x + _broadcast("shift", shift, x.shape)


def prelu(x: ArrayLike, slope: ArrayLike) -> Doubles:
    """x where x >= 0, slope * x below; slope broadcasts to x as in `affine`."""
    x = np.asarray(x, np.float64)
    return np.where(x < 0, x * _broadcast("slope", slope, x.shape), x)


def binary(function: str, a: ArrayLike, b: ArrayLike) -> Doubles:
    """a <function> b in float64, axes of size 1 repeated to the other's size; NaN passes through.

    ValueError unless the function is one of BINARY and the shapes have one rank and fit.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if function not in BINARY:
        raise ValueError(f"function {function!r} is not one of {', '.join(BINARY)}")
    if a.ndim != b.ndim or any(
        i != j and 1 not in (i, j) for i, j in zip(a.shape, b.shape, strict=True)
    ):
        raise ValueError(f"shapes {a.shape} and {b.shape} must be one rank and agree or be 1")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return BINARY[function](a, b)


BINARY: Mapping[str, Callable[[Doubles, Doubles], Doubles]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "max": np.maximum,
    "min": np.minimum,
}


def _broadcast(name: str, value: ArrayLike, shape: tuple[int, ...]) -> Doubles:
    value = np.asarray(value, np.float64)
    trailing = shape[len(shape) - value.ndim :]
    if value.ndim > len(shape) or any(
        i not in (1, j) for i, j in zip(value.shape, trailing, strict=True)
    ):
        raise ValueError(f"{name} {value.shape} does not broadcast to x {shape}")
    return value


def _same_shape(values: tuple[ArrayLike, ...]) -> list[Doubles]:
    arrays = [np.asarray(value, np.float64) for value in values]
    shapes = [array.shape for array in arrays]
    if not shapes or len(set(shapes)) > 1:
        raise ValueError(f"shapes {shapes} must be one shape, of at least one value")
    return arrays
