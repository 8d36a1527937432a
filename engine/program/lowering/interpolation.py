"""Interpolation along one axis as a matrix, by the definitions of ONNX Resize (opset 19)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.program.lowering.errors import Refusal
from engine.program.values import Array


@dataclass(frozen=True, slots=True)
class Interpolation:
    """ONNX's names of the mode, of where samples lie, and of how nearest rounds."""

    mode: str
    coordinates: str
    rounding: str = "round_prefer_floor"
    cubic: float = -0.75
    exclude_outside: bool = False


# Each tells a position of the old map from one of the new: (new position, scale, old size, new).
_COORDINATES: dict[str, Callable[[Array, float, int, int], Array]] = {
    "half_pixel": lambda x, scale, old, new: (x + 0.5) / scale - 0.5,
    "half_pixel_symmetric": lambda x, scale, old, new: (
        old / 2 * (1 - new / (scale * old)) + (x + 0.5) / scale - 0.5
    ),
    "pytorch_half_pixel": lambda x, scale, old, new: (
        (x + 0.5) / scale - 0.5 if new > 1 else x * 0.0
    ),
    "align_corners": lambda x, scale, old, new: x * (old - 1) / (new - 1) if new > 1 else x * 0.0,
    "asymmetric": lambda x, scale, old, new: x / scale,
}
_ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
    "floor": np.floor,
    "ceil": np.ceil,
}


def matrix(old: int, new: int, scale: float, how: Interpolation) -> Array:
    """[new, old] weights in float64. Raises Refusal for a mode that has no such matrix."""
    if how.coordinates not in _COORDINATES:
        raise Refusal(f"coordinate_transformation_mode={how.coordinates} is not supported")
    places = _COORDINATES[how.coordinates](np.arange(new, dtype=np.float64), scale, old, new)
    weights = np.zeros((new, old))
    if how.mode == "nearest":
        taps = [(_ROUNDINGS[how.rounding](places), np.ones(new))]
    elif how.mode == "linear":
        floor = np.floor(places)
        taps = [(floor, 1 - (places - floor)), (floor + 1, places - floor)]
    elif how.mode == "cubic":
        floor = np.floor(places)
        taps = [
            (floor + step, _cubic(np.abs(places - floor - step), how.cubic))
            for step in (-1, 0, 1, 2)
        ]
    else:
        raise Refusal(f"mode={how.mode} is not supported")
    for at, weight in taps:
        inside = (at >= 0) & (at < old)
        kept = np.where(inside, weight, 0) if how.exclude_outside else weight
        np.add.at(weights, (np.arange(new), np.clip(at, 0, old - 1).astype(int)), kept)
    if how.exclude_outside:
        weights /= weights.sum(axis=1, keepdims=True)
    return weights


def _cubic(distance: Array, a: float) -> Array:
    """Keys' kernel: Cubic convolution interpolation for digital image processing, 1981."""
    near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    far = a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a
    inside: Array = np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
    return inside
