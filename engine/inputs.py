"""Checks of what a caller hands in: numbers, latents, images and result arrays."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.core.errors import OptionError
from engine.core.spec import GeneratorSpec, Noise, Output
from engine.images import from_uint8

# Sample numbers are 63-bit, so that sums of them stay 64-bit integers.
_SAMPLES = 2**63


def count(name: str, value: Any, lowest: int, highest: int = _SAMPLES - 1) -> int:
    """A whole number from `lowest` to `highest`. Raises OptionError."""
    number = _integer(name, value)
    if number < lowest:
        raise OptionError(f"{name}={number} must be at least {lowest}")
    if number > highest:
        raise OptionError(f"{name}={number} must be at most {highest}")
    return number


def sample_range(n: Any, start: Any) -> tuple[int, int]:
    """n >= 1 and start >= 0 as integers. Raises OptionError."""
    n, start = count("n", n, 1), count("start", start, 0)
    if start + n > _SAMPLES:
        raise OptionError(f"start={start} and n={n} go beyond the last sample number, 2**63 - 1")
    return n, start


def seed(value: Any) -> int:
    """A 64-bit seed. Raises OptionError."""
    number = _integer("seed", value)
    if not 0 <= number < 2**64:
        raise OptionError(f"seed={number} must be between 0 and 2**64 - 1")
    return number


def truncation(value: Any) -> float | None:
    """A positive number or None. Raises OptionError."""
    if value is None:
        return None
    if not isinstance(value, (int, float, np.number)) or isinstance(value, bool):
        raise OptionError(f"truncation={value!r} must be a positive number")
    if not (math.isfinite(value) and value > 0):
        raise OptionError(f"truncation={value} must be a positive number")
    return float(value)


def latents(
    z: ArrayLike, noise: Noise, image_range: tuple[float, float] | None = None
) -> NDArray[np.float32]:
    """The caller's latents as [n, *noise.shape] float32; trailing dimensions of 1 are dropped.

    image_range: of uint8 images [n, H, W, C], for networks that are given images.
    Raises OptionError for another shape, a type that is no number, NaN or infinity.
    """
    array = _array("latents", z)
    if noise.distribution == "given" and array.dtype == np.uint8 and image_range is not None:
        channels, *sizes = noise.shape
        if array.shape[1:] == (*sizes, channels):
            return from_uint8(array, image_range)
    if array.dtype.kind not in "fiu":
        raise OptionError(f"latents have the type {array.dtype}; give floating-point numbers")
    wanted = noise.shape
    extra = array.shape[1 + len(wanted) :]
    if array.ndim == 0 or array.shape[1 : 1 + len(wanted)] != wanted or set(extra) - {1}:
        raise OptionError(
            f"latents have the shape {array.shape}; this model takes (n, {_listed(wanted)})"
        )
    return _float32("latents", array.reshape(len(array), *wanted))


def floats(z: Any, spec: GeneratorSpec) -> dict[str, NDArray[np.float32]]:
    """The caller's latents, or all inputs that only the caller has, by name: [n, *shape] each.

    z: an array, or a mapping from names to arrays; noise in it takes the place of what is drawn.
    Raises OptionError as `latents`, for inputs that are missing, unknown or of another length.
    """
    known = {item.name: item for item in (spec.latent, *spec.noise)}
    asked = dict(z) if isinstance(z, Mapping) else {spec.latent.name: z}
    needed = [name for name, item in known.items() if item.distribution == "given"]
    needed += [spec.latent.name] if spec.latent.name not in needed else []
    if not set(needed) <= set(asked) <= set(known):
        shapes = ", ".join(f"{item.name!r}: [n, {_listed(item.shape)}]" for item in known.values())
        given = f"the inputs {', '.join(map(repr, asked))}" if asked else "no inputs"
        raise OptionError(
            f"{given} were given, and the model needs {', '.join(map(repr, needed))}; give a dict "
            f"of arrays by name, out of {{{shapes}}}"
        )
    made = {name: latents(value, known[name], spec.output.range) for name, value in asked.items()}
    if len({len(array) for array in made.values()}) > 1:
        lengths = ", ".join(f"{len(array)} of {name!r}" for name, array in made.items())
        raise OptionError(f"inputs of different lengths: {lengths}")
    return made


def one_latent(z: ArrayLike, spec: GeneratorSpec) -> NDArray[np.float32]:
    """The caller's single latent as [*latent shape] float32. Raises OptionError as `latents`."""
    one = _array("a latent", z)[None]
    made: NDArray[np.float32] = latents(one, spec.latent, spec.output.range)[0]
    return made


def images(x: ArrayLike, output: Output) -> NDArray[np.float32]:
    """The caller's images as [n, C, H, W] float32 in the model's range.

    x: uint8 [n, H, W, C], or floats [n, C, H, W] in the model's range already. Of models whose
    samples are no images, floats [n, *output shape].
    Raises OptionError for another shape or type, or values out of range.
    """
    pixels = output.layout == "CHW"
    what = "images" if pixels else "samples"
    array = _array(what, x)
    if array.dtype == np.uint8 and pixels:
        channels, height, width = output.shape
        if array.shape[1:] != (height, width, channels):
            raise OptionError(
                f"uint8 images have the shape {array.shape}; this model takes (n, {height}, "
                f"{width}, {channels})"
            )
        return from_uint8(array, output.range)
    if not np.issubdtype(array.dtype, np.floating):
        able = "uint8 or floating-point" if pixels else "floating-point"
        raise OptionError(f"{what} have the type {array.dtype}; give {able} numbers")
    if array.ndim == 0 or array.shape[1:] != output.shape:
        raise OptionError(
            f"float {what} have the shape {array.shape}; this model takes "
            f"(n, {_listed(output.shape)})"
        )
    values = _float32(what, array)
    low, high = output.range
    slack = 1e-3 * (high - low)
    if values.size and (values.min() < low - slack or values.max() > high + slack):
        raise OptionError(
            f"{what} span {values.min():g} to {values.max():g}; this model's range is {low:g} to "
            f"{high:g}"
        )
    return values


def result_array(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The caller's array for results, if it fits. Raises OptionError."""
    if not isinstance(out, np.ndarray):
        raise OptionError(f"out must be a numpy array, not {type(out).__name__}")
    if out.shape != shape or out.dtype != dtype:
        raise OptionError(
            f"out has shape {out.shape} and dtype {out.dtype}; needed are {shape} {dtype}"
        )
    if not out.flags.writeable:
        raise OptionError("out is read-only; give an array that can be written")
    return out


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def _array(name: str, value: ArrayLike) -> NDArray[Any]:
    try:
        detach = getattr(value, "detach", None)
        return np.asarray(value if detach is None else detach().cpu())
    except (TypeError, ValueError) as error:
        raise OptionError(f"{name} cannot be read as one array: {error}") from error


def _float32(name: str, array: NDArray[Any]) -> NDArray[np.float32]:
    if array.dtype == np.float32:
        values = np.ascontiguousarray(array)
    else:
        # Values beyond float32 become infinite, and are then refused.
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(values).all():
        raise OptionError(f"{name} hold NaN or infinity")
    return values


def _integer(name: str, value: Any) -> int:
    if isinstance(value, (bool, np.bool_)):
        raise OptionError(f"{name}={value!r} must be a whole number")
    try:
        return operator.index(value)
    except TypeError as error:
        raise OptionError(f"{name}={value!r} must be a whole number") from error
