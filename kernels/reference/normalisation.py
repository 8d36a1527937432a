"""Normalisation by a sample's own statistics."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.reference.arithmetic import affine

Doubles = NDArray[np.float64]


def instance_norm(
    x: ArrayLike,
    scale: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    epsilon: float = 1e-5,
) -> Doubles:
    """(x - mean) / sqrt(variance + epsilon) * scale + shift, over the positions of each channel.

    x [batch, *spatial, channels], scale and shift [channels] or None; the variance divides by the
    number of positions. Source: Ulyanov, Vedaldi, Lempitsky (2016), ONNX InstanceNormalization.
    """
    x = np.asarray(x, np.float64)
    return affine(_standardised(x, tuple(range(1, x.ndim - 1)), epsilon), scale, shift)


def group_norm(
    x: ArrayLike,
    groups: int,
    scale: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    epsilon: float = 1e-5,
) -> Doubles:
    """The same over the positions and channels of each of `groups` runs of channels.

    ValueError unless groups divides the channels. Source: Wu, He (2018).
    """
    x = np.asarray(x, np.float64)
    if groups < 1 or x.shape[-1] % groups:
        raise ValueError(f"groups={groups} must divide the {x.shape[-1]} channels")
    split = x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    axes = (*range(1, x.ndim - 1), x.ndim)
    return affine(_standardised(split, axes, epsilon).reshape(x.shape), scale, shift)


def layer_norm(
    x: ArrayLike,
    scale: ArrayLike | None = None,
    shift: ArrayLike | None = None,
    epsilon: float = 1e-5,
) -> Doubles:
    """The same over the channels of each position. Source: Ba, Kiros, Hinton (2016)."""
    x = np.asarray(x, np.float64)
    return affine(_standardised(x, (x.ndim - 1,), epsilon), scale, shift)


def _standardised(x: Doubles, axes: tuple[int, ...], epsilon: float) -> Doubles:
    if not x.size:
        return x
    centred = x - x.mean(axis=axes, keepdims=True)
    variance = (centred**2).mean(axis=axes, keepdims=True)
    out: Doubles = centred / np.sqrt(variance + epsilon)
    return out
