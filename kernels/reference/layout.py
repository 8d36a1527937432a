"""Elements moved without arithmetic: concatenation, padding, slicing, rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]
PadMode = Literal["constant", "reflect", "edge", "wrap"]


def concat(*values: ArrayLike, axis: int = -1) -> Doubles:
    """Values one after the other along an axis. ValueError if their other axes differ."""
    arrays = [np.asarray(value, np.float64) for value in values]
    return np.concatenate(arrays, axis=axis)


def pad(
    x: ArrayLike,
    before: Sequence[int],
    after: Sequence[int],
    mode: PadMode = "constant",
    value: float = 0.0,
) -> Doubles:
    """Elements added around all axes but the batch, or cut off where a number is negative.

    x [batch, *shape], one number an axis of shape. Modes are those of ONNX Pad and of numpy.
    ValueError if there are too many numbers or too few, if more is cut off than there is, or if
    there is nothing to reflect or repeat.
    """
    x = np.asarray(x, np.float64)
    sizes = x.shape[1:]
    if len(before) != len(sizes) or len(after) != len(sizes):
        raise ValueError(
            f"before={tuple(before)} and after={tuple(after)} must be {len(sizes)} numbers each"
        )
    crops, widths = [slice(None)], [(0, 0)]
    for size, low, high in zip(sizes, before, after, strict=True):
        kept = size + min(low, 0) + min(high, 0)
        least = {"constant": 0, "reflect": max(low, high) + 1}.get(mode, 1)
        if kept < 0 or (max(low, high) > 0 and kept < least):
            raise ValueError(f"before={low} and after={high} do not fit size {size} ({mode})")
        crops.append(slice(max(-low, 0), size - max(-high, 0)))
        widths.append((max(low, 0), max(high, 0)))
    inner = x[tuple(crops)]
    if mode == "constant":
        return np.pad(inner, widths, constant_values=value)
    return np.pad(inner, widths, mode=mode)


def take(x: ArrayLike, begin: Sequence[int], sizes: Sequence[int], step: Sequence[int]) -> Doubles:
    """Elements begin + step * i, i in 0 .. size - 1, of every axis but the batch.

    ValueError for a step of 0, for other than one number an axis, or if an element is not there.
    """
    out = np.asarray(x, np.float64)
    shape = out.shape[1:]
    if not len(begin) == len(sizes) == len(step) == len(shape):
        raise ValueError(
            f"begin={tuple(begin)}, sizes={tuple(sizes)} and step={tuple(step)} must be "
            f"{len(shape)} numbers each"
        )
    for axis, (first, size, stride) in enumerate(zip(begin, sizes, step, strict=True), start=1):
        last = first + stride * (size - 1)
        if stride == 0 or (
            size and not (0 <= first < out.shape[axis] and 0 <= last < out.shape[axis])
        ):
            raise ValueError(
                f"begin={first}, size={size}, step={stride} do not fit size {out.shape[axis]}"
            )
        out = out.take(first + stride * np.arange(size), axis=axis)
    return out


def embedding(index: ArrayLike, table: ArrayLike) -> Doubles:
    """Rows of a table: index [...] integers, table [classes, *shape] -> [..., *shape].

    ValueError for an index outside 0 .. classes - 1.
    """
    index, table = np.asarray(index), np.asarray(table, np.float64)
    if index.size and not 0 <= index.min() <= index.max() < len(table):
        raise ValueError(f"index {index.min()} to {index.max()} must lie in 0 to {len(table) - 1}")
    out: Doubles = table[index]
    return out
