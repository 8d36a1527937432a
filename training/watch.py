"""Stops a run that cannot succeed any more, and says why."""

from __future__ import annotations

import math
from collections.abc import Mapping

from engine.core.errors import TrainingError

# At this loss the discriminator is right about all images with logits beyond 7.
WON_LOSS = 1e-3
WON_STEPS = 300


class Watch:
    """Looks at each step's metrics. `won` counts the steps that the discriminator won in a row."""

    def __init__(self, won: int = 0) -> None:
        self.won = won

    def check(self, step: int, metrics: Mapping[str, float], saved: int | None) -> None:
        """Raise TrainingError when a value is not finite, or the discriminator wins outright.

        `saved` is how many steps the last saved checkpoint has, None if there is none.
        """
        for name, value in metrics.items():
            if not math.isfinite(value):
                raise TrainingError(
                    f"step {step}: {name} is {value}; start anew with a lower --lr, or look for "
                    f"odd images in the data. {_left(saved)}"
                )
        if "d_loss" not in metrics:
            return
        self.won = self.won + 1 if metrics["d_loss"] < WON_LOSS else 0
        if self.won >= WON_STEPS:
            raise TrainingError(
                f"step {step}: the discriminator has won for {self.won} steps in a row "
                f"(loss {metrics['d_loss']:.1g}, D(x) {metrics['d_real']:.4f}, D(G(z)) "
                f"{metrics['d_fake']:.4f}), so the generator learns nothing more; start anew with "
                f"--augment, --label-smoothing 0.1, a lower --lr or more data. {_left(saved)}"
            )


def _left(saved: int | None) -> str:
    if saved is None:
        return "No checkpoint was written yet"
    return f"The last checkpoint, after {saved} step{'' if saved == 1 else 's'}, is untouched"
