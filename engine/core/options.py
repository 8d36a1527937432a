"""What a user may say about a model that does not say it itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How to read a checkpoint or model that carries no spec of ours.

    arch: `module:factory` of the network, or a name of `engine.models`.
    arch_args: keyword arguments of the factory.
    state_key: key of the state dict inside the checkpoint, dots for nesting.
    classes: number of classes; of a recognised network the last `classes` input channels are then
        a one-hot class.
    input_shape: shape of one input without the batch, for `arch`.
    output_range: the (low, high) that the network's output spans.
    """

    arch: str | None = None
    arch_args: Mapping[str, Any] = field(default_factory=dict)
    state_key: str | None = None
    classes: int | None = None
    input_shape: tuple[int, ...] | None = None
    output_range: tuple[float, float] | None = None
