"""Windows of positions reduced to one, per channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.geometry import Geometry
from kernels.reference.convolution import meeting

Doubles = NDArray[np.float64]


def max_pool(x: ArrayLike, geometry: Geometry) -> Doubles:
    """The largest of each window inside the map: x [batch, *input_size, channels].

    NaN wins. An empty window gives -infinity. ValueError unless the geometry is forward and fits.
    """
    x = _checked(x, geometry)
    out = np.full((x.shape[0], *geometry.output_size, x.shape[-1]), -np.inf)
    for sources, targets in _windows(x.shape[0], geometry):
        out[targets] = np.maximum(out[targets], x[sources])
    return out


def average_pool(x: ArrayLike, geometry: Geometry, include_padding: bool = False) -> Doubles:
    """The mean of each window, over its positions inside the map or over all its taps.

    x [batch, *input_size, channels]. An empty window gives NaN, or 0 with include_padding.
    """
    x = _checked(x, geometry)
    total = np.zeros((x.shape[0], *geometry.output_size, x.shape[-1]))
    count = np.zeros_like(total)
    for sources, targets in _windows(x.shape[0], geometry):
        total[targets] += x[sources]
        count[targets] += 1
    with np.errstate(invalid="ignore"):
        return total / (geometry.taps if include_padding else count)


def global_average(x: ArrayLike) -> Doubles:
    """The mean over all positions: [batch, *spatial, channels] -> [batch, channels]."""
    x = np.asarray(x, np.float64)
    out: Doubles = x.mean(axis=tuple(range(1, x.ndim - 1)))
    return out


def _windows(batch, geometry):
    for tap in np.ndindex(geometry.kernel):
        meetings = [meeting(geometry, axis, k) for axis, k in enumerate(tap)]
        sources = np.ix_(np.arange(batch), *(inputs for inputs, _ in meetings))
        yield sources, np.ix_(np.arange(batch), *(outputs for _, outputs in meetings))


def _checked(x: ArrayLike, geometry: Geometry) -> Doubles:
    x = np.asarray(x, np.float64)
    if geometry.direction != "forward" or x.shape[1:-1] != geometry.input_size:
        raise ValueError(
            f"x {x.shape} must be [batch, *{geometry.input_size}, channels] of a forward "
            f"geometry, not {geometry.direction}"
        )
    return x
