"""Elementwise arithmetic on values of one shape, and per channel."""

from __future__ import annotations

import functools
import operator

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
    """x * scale + shift per channel, in float64: x [..., channels], scale and shift [channels].

    None leaves its step out. ValueError if a vector does not have one number a channel.
    """
    x = np.asarray(x, np.float64)
    for name, vector in (("scale", scale), ("shift", shift)):
        if vector is not None and np.shape(vector) != x.shape[-1:]:
            raise ValueError(
                f"{name} {np.shape(vector)} must be {x.shape[-1:]}, one number a channel"
            )
    if scale is not None:
        x = x * np.asarray(scale, np.float64)
    return x if shift is None else x + np.asarray(shift, np.float64)


def _same_shape(values: tuple[ArrayLike, ...]) -> list[Doubles]:
    arrays = [np.asarray(value, np.float64) for value in values]
    shapes = [array.shape for array in arrays]
    if not shapes or len(set(shapes)) > 1:
        raise ValueError(f"shapes {shapes} must be one shape, of at least one value")
    return arrays
