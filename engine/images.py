"""Between a model's own range, [n, C, H, W] floats, and images, [n, H, W, C] uint8."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Range = tuple[float, float]


def to_uint8(values: NDArray[np.floating], value_range: Range) -> NDArray[np.uint8]:
    """Floats [n, C, H, W] in value_range -> uint8 [n, H, W, C], rounded to nearest, clipped."""
    low, high = value_range
    scale = np.float32(255.0 / (high - low))
    scaled = values.astype(np.float32, copy=False) * scale
    scaled += np.float32(-low) * scale
    np.rint(scaled, out=scaled)
    np.clip(scaled, 0.0, 255.0, out=scaled)
    return np.ascontiguousarray(scaled.astype(np.uint8).transpose(0, 2, 3, 1))


def from_uint8(images: NDArray[np.uint8], value_range: Range) -> NDArray[np.float32]:
    """uint8 [n, H, W, C] -> float32 [n, C, H, W] in value_range."""
    low, high = value_range
    values = images.transpose(0, 3, 1, 2).astype(np.float32)
    values *= np.float32((high - low) / 255.0)
    values += np.float32(low)
    return np.ascontiguousarray(values)
