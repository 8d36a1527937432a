"""Floating-point images to bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def to_uint8(x: ArrayLike, value_range: tuple[float, float] = (-1.0, 1.0)) -> NDArray[np.uint8]:
    """Map value_range to 0 .. 255, round half to even, clip: same shape, uint8. NaN becomes 0.

    ValueError for an empty range.
    """
    value = np.clip(np.rint(to_levels(x, value_range)), 0.0, 255.0)
    return np.where(np.isnan(value), 0.0, value).astype(np.uint8)


def to_levels(x: ArrayLike, value_range: tuple[float, float] = (-1.0, 1.0)) -> NDArray[np.float64]:
    """The same map before rounding and clipping, in float64."""
    low, high = value_range
    if not low < high:
        raise ValueError(f"value_range={value_range} must be two rising numbers")
    return (np.asarray(x, np.float64) - low) * (255.0 / (high - low))
