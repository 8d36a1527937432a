"""What a user may say about a model that does not say it itself."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from engine.core.errors import OptionError, SelfDescribedError

Shapes = tuple[int, ...] | tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How to read a checkpoint or model that carries no spec of ours.

    arch: `module:factory` of the network, or a name of `engine.models`.
    arch_args: keyword arguments of the factory.
    state_key: key of the state dict inside the checkpoint, dots for nesting.
    classes: number of classes; of a recognised network the last `classes` input channels are then
        a one-hot class.
    input_shape: shape of one input without the batch, for `arch`; of a network with several float
        inputs a tuple of shapes, in the order of its forward.
    output_range: the (low, high) that the network's output spans.

    Raises OptionError for values of the wrong kind.
    """

    arch: str | None = None
    arch_args: Mapping[str, Any] = field(default_factory=dict)
    state_key: str | None = None
    classes: int | None = None
    input_shape: Shapes | None = None
    output_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.classes is not None and not _is_count(self.classes):
            raise OptionError(f"classes={self.classes!r} must be a whole number of at least 1")
        if self.input_shape is not None and not (
            _is_shape(self.input_shape)
            or (_is_filled(self.input_shape) and all(map(_is_shape, self.input_shape)))
        ):
            raise OptionError(
                f"input_shape={self.input_shape!r} must be whole numbers from 1, like (80, 20), "
                "or such shapes, like ((62,), (2,))"
            )
        if self.output_range is not None and not _is_range(self.output_range):
            raise OptionError(
                f"output_range={self.output_range!r} must be two rising numbers, like (-1.0, 1.0)"
            )

    @property
    def input_shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of all float inputs that were said, the latent's first."""
        given: Any = self.input_shape or ()
        return (tuple(given),) if _is_shape(given) else tuple(tuple(shape) for shape in given)

    def given(self) -> dict[str, Any]:
        """The options that are not at their defaults."""
        defaults = LoadOptions()
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if value != getattr(defaults, name)}


def refuse_options(
    options: LoadOptions, path: Path, why: str, allowed: tuple[str, ...] = ()
) -> None:
    """Raise SelfDescribedError for options about what the file says itself."""
    for name, value in options.given().items():
        if name not in allowed:
            raise SelfDescribedError(
                f"{name}={value!r} does not apply to {path}: {why}; leave it out"
            )


def one_or_all(shapes: tuple[tuple[int, ...], ...]) -> Shapes | None:
    """`input_shape` of shapes that were said one by one."""
    return shapes[0] if len(shapes) == 1 else shapes or None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_filled(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and bool(value)


def _is_shape(value: Any) -> bool:
    return _is_filled(value) and all(map(_is_count, value))


def _is_range(value: Any) -> bool:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return False
    if not all(isinstance(end, (int, float)) and math.isfinite(end) for end in value):
        return False
    return bool(value[0] < value[1])
