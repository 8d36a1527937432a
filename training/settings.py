"""What a run is: the recipe, its options with their defaults, checked."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.core.errors import OptionError

GENERATOR_LOSSES = ("non-saturating", "minimax")
PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Settings:
    """Everything that decides the weights, apart from the data.

    width is None for networks without that knob; `precision` is the arithmetic of the layers
    (weights, losses and optimisers stay float32).
    """

    recipe: str
    size: int
    channels: int
    latent: int
    width: int | None
    classes: int
    steps: int
    batch_size: int = 64
    lr: float = 2e-4
    beta1: float = 0.5
    kl_weight: float = 1.0
    ema_decay: float = 0.999
    loss: str = "non-saturating"
    label_smoothing: float = 0.0
    augment: tuple[str, ...] = ()
    precision: str = "float32"
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("size", "latent", "steps", "batch_size", "threads"):
            _require(name, getattr(self, name), getattr(self, name) >= 1, "at least 1")
        _require("width", self.width, self.width is None or self.width >= 1, "at least 1")
        _require("channels", self.channels, self.channels in (1, 3), "1 (grey) or 3 (colour)")
        # Batch norm has no variance of one sample.
        _require("batch_size", self.batch_size, self.batch_size >= 2, "at least 2")
        _require("lr", self.lr, math.isfinite(self.lr) and self.lr > 0, "positive")
        _require("beta1", self.beta1, 0 <= self.beta1 < 1, "in [0, 1)")
        _require("kl_weight", self.kl_weight, 0 <= self.kl_weight < math.inf, "0 or more")
        _require("ema_decay", self.ema_decay, 0 <= self.ema_decay < 1, "in [0, 1)")
        _require(
            "label_smoothing", self.label_smoothing, 0 <= self.label_smoothing < 1, "in [0, 1)"
        )
        _require("seed", self.seed, 0 <= self.seed < 2**64, "in [0, 2**64)")
        _require("loss", self.loss, self.loss in GENERATOR_LOSSES, " or ".join(GENERATOR_LOSSES))
        _require("precision", self.precision, self.precision in PRECISIONS, " or ".join(PRECISIONS))

    @property
    def arch_args(self) -> dict[str, Any]:
        """Arguments of `engine.models.create(recipe, ...)`."""
        return {**self.discriminator_args, "latent": self.latent}

    @property
    def discriminator_args(self) -> dict[str, Any]:
        """Arguments of `engine.models.create_discriminator(recipe, ...)`."""
        arguments = {"size": self.size, "channels": self.channels, "classes": self.classes}
        return arguments if self.width is None else {**arguments, "width": self.width}

    def differences(self, saved: Mapping[str, Any]) -> list[str]:
        """What differs from a saved run's settings in a way that forbids resuming it."""
        mine = dataclasses.asdict(self)
        # More steps continue a run; everything else would make another one.
        return [
            f"{key} was {saved.get(key)!r}, is {value!r}"
            for key, value in mine.items()
            if key != "steps" and _plain(saved.get(key)) != _plain(value)
        ]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _require(name: str, value: Any, holds: bool, what: str) -> None:
    if not holds:
        raise OptionError(f"--{name.replace('_', '-')} {value} must be {what}")
