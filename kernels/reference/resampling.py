"""Positions repeated or mixed, and channels moved to positions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]


def upsample(x: ArrayLike, scales: Sequence[int]) -> Doubles:
    """Nearest neighbour by whole factors: x [batch, *spatial, channels], one scale an axis.

    Output position o reads input o // scale. ValueError unless each scale is at least 1.
    """
    x = np.asarray(x, np.float64)
    if len(scales) != x.ndim - 2 or any(scale < 1 for scale in scales):
        raise ValueError(f"scales={tuple(scales)} must be {x.ndim - 2} numbers of at least 1")
    for axis, scale in enumerate(scales, start=1):
        x = np.repeat(x, scale, axis=axis)
    return x


def resample(x: ArrayLike, matrices: Sequence[ArrayLike | None]) -> Doubles:
    """Positions mixed axis by axis: x [batch, *spatial, channels], one [new, old] or None an axis.

    Any interpolation with fixed weights. ValueError if a matrix does not fit its axis.
    """
    out = np.asarray(x, np.float64)
    if len(matrices) != out.ndim - 2:
        raise ValueError(f"{len(matrices)} matrices for the {out.ndim - 2} axes of x {out.shape}")
    for axis, matrix in enumerate(matrices, start=1):
        if matrix is None:
            continue
        mix = np.asarray(matrix, np.float64)
        if mix.ndim != 2 or mix.shape[1] != out.shape[axis]:
            raise ValueError(f"matrix {mix.shape} must be [new, {out.shape[axis]}]")
        out = np.moveaxis(np.tensordot(out, mix, (axis, 1)), -1, axis)
    return out


def depth_to_space(x: ArrayLike, block: Sequence[int], channels_first: bool = False) -> Doubles:
    """Channels to positions: x [batch, *spatial, channels] -> [batch, *spatial * block, rest].

    A channel is (*place in the block, channel of the output), outermost first: ONNX
    DepthToSpace's DCR. With channels_first it is (channel of the output, *place): CRD, PyTorch's
    pixel_shuffle. ValueError unless the block's size divides the channels.
    """
    x = np.asarray(x, np.float64)
    batch, spatial, depth = x.shape[0], x.shape[1:-1], x.shape[-1]
    places = int(np.prod(block))
    if len(block) != len(spatial) or places < 1 or depth % places:
        raise ValueError(
            f"block={tuple(block)} does not fit x {x.shape} [batch, *spatial, channels]"
        )
    rank, rest = len(spatial), depth // places
    if channels_first:
        x = np.moveaxis(x.reshape(batch, *spatial, rest, *block), 1 + rank, -1)
    else:
        x = x.reshape(batch, *spatial, *block, rest)
    # Each axis of positions is followed by the axis of places in the block.
    interleaved = [axis for i in range(1, 1 + rank) for axis in (i, i + rank)]
    x = x.transpose(0, *interleaved, 1 + 2 * rank)
    sizes = [size * step for size, step in zip(spatial, block, strict=True)]
    return x.reshape(batch, *sizes, rest)
