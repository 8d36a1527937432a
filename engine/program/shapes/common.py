"""What the rules share; each raises ValueError where something does not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.program.graph import Shape

Shapes = tuple[Shape, ...]


def one(given: Shapes) -> Shape:
    """The only input's shape."""
    if len(given) != 1:
        raise ValueError(f"takes one input, not {len(given)}")
    return given[0]


def same(what: str, shape: Shape, wanted: Shape) -> None:
    """A shape must be another."""
    if shape != wanted:
        raise ValueError(f"{what} {list(shape)} instead of {list(wanted)}")


def vector(what: str, array: NDArray[Any] | None, length: int) -> None:
    """An array must be [length], if there is one."""
    if array is not None:
        same(what, array.shape, (length,))


def broadcast(*shapes: Shape) -> Shape:
    """The shape that all shapes repeat to by numpy's rule."""
    return np.broadcast_shapes(*shapes)


def fitting(what: str, array: NDArray[Any] | None, shape: Shape) -> None:
    """An array must repeat to a shape by numpy's rule, if there is one."""
    if array is not None and broadcast(array.shape, shape) != shape:
        raise ValueError(f"{what} {list(array.shape)} for {list(shape)}")


def along(axis: int, shape: Shape) -> int:
    """An axis, from the front or the back, as one from the front."""
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"axis {axis} of {list(shape)}")
    return axis % len(shape)


def per_axis(what: str, values: tuple[Any, ...], count: int) -> None:
    """There must be one value for each axis."""
    if len(values) != count:
        raise ValueError(f"{what}={values} for {count} axes")
