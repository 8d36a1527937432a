"""Elements moved without arithmetic: concatenation, padding and cropping, rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]
PadMode = Literal["constant", "reflect", "edge"]


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
    """Positions added around the map, or cropped where a number is negative.

    x [batch, *spatial, channels]; before and after: one number a spatial axis. Modes are those of
    ONNX Pad. ValueError if the numbers are too many or too few, or more is cropped than there is,
    or "reflect" reaches further than the map.
    """
    x = np.asarray(x, np.float64)
    spatial = x.shape[1:-1]
    if len(before) != len(spatial) or len(after) != len(spatial):
        raise ValueError(
            f"before={tuple(before)} and after={tuple(after)} must be {len(spatial)} numbers each"
        )
    for size, low, high in zip(spatial, before, after, strict=True):
        if size + min(low, 0) + min(high, 0) < 0:
            raise ValueError(f"before={low} and after={high} crop more than the map's {size}")
        kept = size + min(low, 0) + min(high, 0)
        if (mode == "reflect" and max(low, high) >= max(kept, 1)) or (
            mode == "edge" and kept == 0 and max(low, high) > 0
        ):
            raise ValueError(f"before={low} and after={high} reach past the map's {kept} ({mode})")
    crop = [
        slice(max(-low, 0), size - max(-high, 0))
        for size, low, high in zip(spatial, before, after, strict=True)
    ]
    x = x[(slice(None), *crop)]
    widths = [(max(low, 0), max(high, 0)) for low, high in zip(before, after, strict=True)]
    around = [(0, 0), *widths, (0, 0)]
    if mode == "constant":
        return np.pad(x, around, constant_values=value)
    return np.pad(x, around, mode=mode)


def embedding(index: ArrayLike, table: ArrayLike) -> Doubles:
    """Rows of a table: index [...] integers, table [classes, *shape] -> [..., *shape].

    ValueError for an index outside 0 .. classes - 1.
    """
    index, table = np.asarray(index), np.asarray(table, np.float64)
    if index.size and not 0 <= index.min() <= index.max() < len(table):
        raise ValueError(f"index {index.min()} to {index.max()} must lie in 0 to {len(table) - 1}")
    out: Doubles = table[index]
    return out
