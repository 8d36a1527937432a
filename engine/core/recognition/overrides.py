"""Checks of what a user says about a recognised network with --arch-args."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.core.errors import OptionError

_ACTIVATIONS = (
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "softplus",
    "tanh",
    "sigmoid",
    "identity",
)
_CHOICES: Mapping[str, Sequence[Any]] = {
    "hidden_activation": _ACTIVATIONS,
    "output_activation": _ACTIVATIONS,
    "combine": ("first", "last"),
    "upsample_mode": ("nearest", "bilinear"),
    "latent_distribution": ("normal", "uniform"),
}


def check_overrides(overrides: Mapping[str, Any], known: Sequence[str]) -> None:
    """Raise OptionError, naming field, value and expected form, for what no network can have."""
    for name, value in overrides.items():
        if name not in known:
            raise OptionError(
                f"unknown argument {name!r} of a recognised network; known are "
                f"{', '.join(known)} (the arguments of a network of yours need --arch)"
            )
        if name in _CHOICES and value not in _CHOICES[name]:
            raise OptionError(f"{name}={value!r}; known are {', '.join(_CHOICES[name])}")
        if name in _FORMS:
            fits, form = _FORMS[name]
            if not fits(value):
                raise OptionError(f"{name}={value!r} must be {form}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > 0


def _is_eps(value: Any) -> bool:
    return all(_is_number(eps) and eps >= 0 for eps in (value if _is_list(value) else [value]))


def _is_layout(value: Any) -> bool:
    return value is None or (_is_list(value) and all(_is_geometry(item) for item in value))


def _is_geometry(value: Any) -> bool:
    if not _is_list(value) or len(value) not in (2, 3):
        return False
    return _is_whole(value[0], 1) and all(_is_whole(number, 0) for number in value[1:])


def _is_shape(value: Any) -> bool:
    return value is None or (_is_list(value) and all(_is_whole(size, 1) for size in value))


def _are_flags(value: Any) -> bool:
    return value is None or (_is_list(value) and all(isinstance(flag, bool) for flag in value))


_FORMS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "slope": (_is_number, "a number, like 0.2"),
    "batch_norm_eps": (_is_eps, "a number of at least 0 or a list of them, like 1e-5"),
    "geometry": (
        _is_layout,
        "a list of [stride, padding, output_padding] in whole numbers, one for each convolution, "
        "like [[1, 0, 0], [2, 1, 0]]",
    ),
    "transposed": (_are_flags, "a list of true and false, one for each convolution"),
    "output_shape": (_is_shape, "a list of whole numbers from 1, like [3, 32, 32]"),
    "projection_activation": (
        lambda value: value is None or isinstance(value, bool),
        "true, false or null",
    ),
}
