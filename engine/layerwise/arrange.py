"""A Program's values in the axis order of a network's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import numpy as np

from engine.layerwise.layers import Array, Reading


def arranged(ours: Reading, theirs: Reading) -> tuple[Array, Array]:
    """Both values [n, numbers] in one order.

    A Program has channels last, and may keep axes that ONNX moves where they were. Of the orders
    that give the same shape the one that agrees best is taken: values that differ agree in none.
    """
    one = _flat(ours.array)
    if not (ours.loose or theirs.loose) or (ours.loose and theirs.loose and _alike(ours, theirs)):
        return one, _flat(theirs.array)
    # What has more axes is moved: a flat value has its numbers in one order alone.
    move_ours = ours.array.ndim > theirs.array.ndim or (
        ours.array.ndim == theirs.array.ndim and not theirs.loose
    )
    moved, fixed = (ours.array, theirs.array) if move_ours else (theirs.array, ours.array)
    best = min(_ways(moved, fixed.shape), key=lambda way: _distance(way, fixed))
    return (best, _flat(fixed)) if move_ours else (_flat(fixed), best)


def _alike(ours: Reading, theirs: Reading) -> bool:
    return ours.array.shape == theirs.array.shape


def _ways(value: Array, shape: tuple[int, ...]) -> Iterator[Array]:
    """A value's numbers in every order that its axes allow."""
    axes = range(1, value.ndim)
    fitting = [order for order in permutations(axes) if _bare(value, order) == _bare_shape(shape)]
    # Where one side is flat, channels come first or last.
    moved = (tuple(axes), (*axes[1:], *axes[:1]), (*axes[-1:], *axes[:-1]))
    for order in fitting or dict.fromkeys(moved):
        yield _flat(value.transpose(0, *order))


def _bare(value: Array, order: tuple[int, ...]) -> list[int]:
    return [value.shape[axis] for axis in order if value.shape[axis] != 1]


def _bare_shape(shape: tuple[int, ...]) -> list[int]:
    return [size for size in shape[1:] if size != 1]


def _flat(array: Array) -> Array:
    flat: Array = array.reshape(len(array), -1)
    return flat


def _distance(way: Array, fixed: Array) -> float:
    with np.errstate(invalid="ignore"):
        error = np.abs(way.astype(np.float64) - _flat(fixed))
    return float(np.nanmax(error, initial=0.0))
