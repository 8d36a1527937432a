"""Checks of what a caller hands in: counts, seeds, latents and images."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.core.errors import OptionError
from engine.core.spec import Noise, Output
from engine.images import from_uint8


def count(name: str, value: Any, lowest: int) -> int:
    """A whole number of at least `lowest`. Raises OptionError."""
    number = _integer(name, value)
    if number < lowest:
        raise OptionError(f"{name}={number} must be at least {lowest}")
    if number >= 2**63:
        raise OptionError(f"{name}={number} must be below 2**63")
    return number


def seed(value: Any) -> int:
    """A 64-bit seed. Raises OptionError."""
    number = _integer("seed", value)
    if not 0 <= number < 2**64:
        raise OptionError(f"seed={number} must be between 0 and 2**64 - 1")
    return number


def latents(z: ArrayLike, noise: Noise) -> NDArray[np.float32]:
    """The caller's latents as [n, *noise.shape] float32; trailing dimensions of 1 are dropped.

    Raises OptionError for another shape, a type that is no number, NaN or infinity.
    """
    array = np.asarray(z)
    if not (np.issubdtype(array.dtype, np.floating) or np.issubdtype(array.dtype, np.integer)):
        raise OptionError(f"latents have the type {array.dtype}; give floating-point numbers")
    wanted = noise.shape
    shape = array.shape[1:]
    extra = shape[len(wanted) :]
    if array.ndim == 0 or shape[: len(wanted)] != wanted or any(size != 1 for size in extra):
        raise OptionError(
            f"latents have the shape {array.shape}; this model takes (n, "
            f"{', '.join(str(size) for size in wanted)})"
        )
    array = np.ascontiguousarray(array.reshape(len(array), *wanted), np.float32)
    return _finite("latents", array)


def images(x: ArrayLike, output: Output) -> NDArray[np.float32]:
    """The caller's images as [n, C, H, W] float32 in the model's range.

    x: uint8 [n, H, W, C], or floats [n, C, H, W] in the model's range already.
    Raises OptionError for another shape or type, or values out of range.
    """
    array = np.asarray(x)
    channels, height, width = output.shape
    if array.dtype == np.uint8:
        if array.ndim != 4 or array.shape[1:] != (height, width, channels):
            raise OptionError(
                f"uint8 images have the shape {array.shape}; this model takes (n, {height}, "
                f"{width}, {channels})"
            )
        return from_uint8(array, output.range)
    if not np.issubdtype(array.dtype, np.floating):
        raise OptionError(
            f"images have the type {array.dtype}; give uint8 or floating-point numbers"
        )
    if array.ndim != 4 or array.shape[1:] != output.shape:
        raise OptionError(
            f"float images have the shape {array.shape}; this model takes (n, {channels}, "
            f"{height}, {width})"
        )
    array = _finite("images", np.ascontiguousarray(array, np.float32))
    low, high = output.range
    slack = 1e-3 * (high - low)
    if array.size and (array.min() < low - slack or array.max() > high + slack):
        raise OptionError(
            f"images span {array.min():g} to {array.max():g}; this model's range is {low:g} to "
            f"{high:g}"
        )
    return array


def _finite(name: str, array: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(array).all():
        raise OptionError(f"{name} hold NaN or infinity")
    return array


def _integer(name: str, value: Any) -> int:
    if isinstance(value, (bool, np.bool_)):
        raise OptionError(f"{name}={value!r} must be a whole number")
    try:
        return operator.index(value)
    except TypeError as error:
        raise OptionError(f"{name}={value!r} must be a whole number") from error
