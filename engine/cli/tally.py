"""Differences of two engines' outputs, gathered a batch at a time in float64."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.budget import Cost, steps
from engine.core.spec import GeneratorSpec

Array = NDArray[Any]

_PEAK = 255.0
# A posterior has no range; a step is a hundredth of the prior's deviation, as in export.precision.
_POSTERIOR_STEPS = 100.0


class _Steps:
    """Errors in steps of uint8, of each sample."""

    def __init__(self) -> None:
        self._squares: list[Array] = []
        self._differences: list[Array] = []

    def add(self, error: Array) -> None:
        """Of some samples [n, ...]."""
        flat = error.reshape(len(error), -1)
        self._squares.append(np.square(flat).mean(axis=1))
        self._differences.append(np.abs(flat).mean(axis=1))

    def cost(self) -> Cost:
        return Cost.gathered(np.concatenate(self._squares), np.concatenate(self._differences))


class SampleTally:
    """Samples of two decoders: floats in the model's range, or uint8 images."""

    def __init__(self, spec: GeneratorSpec) -> None:
        self._range = spec.output.range
        self._image = spec.modality == "image"
        self._total, self._squares, self._values = 0.0, 0.0, 0
        self._largest, self._worst, self._seen = -1.0, 0, 0
        self._steps, self._equal, self._max_step = _Steps(), 0, 0

    def add(self, ours: Array, theirs: Array) -> Array:
        """The next samples [n, ...] of both; the largest error of each, in the model's range."""
        a, b = ours.astype(np.float64), theirs.astype(np.float64)
        low, high = self._range
        if ours.dtype == np.uint8:
            in_steps = a - b
            error = np.abs(in_steps) * ((high - low) / _PEAK)
        else:
            error = np.abs(a - b)
            in_steps = steps(a, self._range, image=self._image)
            in_steps -= steps(b, self._range, image=self._image)
        self._total += float(error.sum())
        self._squares += float(np.square(error).sum())
        self._values += error.size
        self._steps.add(in_steps)
        self._equal += int((in_steps == 0).sum())
        self._max_step = max(self._max_step, round(float(np.abs(in_steps).max())))
        by_sample: Array = error.reshape(len(error), -1).max(axis=1)
        if by_sample.max() > self._largest:
            self._largest = float(by_sample.max())
            self._worst = self._seen + int(by_sample.argmax())
        self._seen += len(error)
        return by_sample

    def result(self) -> dict[str, Any]:
        """Fields of a `Comparison`."""
        low, high = self._range
        mean_square = self._squares / self._values
        return {
            "max_error": self._largest,
            "mean_error": self._total / self._values,
            "psnr_db": 10 * math.log10((high - low) ** 2 / mean_square)
            if mean_square
            else math.inf,
            "worst_sample": self._worst,
            "cost": self._steps.cost(),
            "max_step": self._max_step if self._image else None,
            "equal_share": self._equal / self._values if self._image else None,
        }


class PosteriorTally:
    """Means and log variances of two encoders."""

    def __init__(self) -> None:
        self._total, self._values = 0.0, 0
        self._largest, self._relative = 0.0, 0.0
        self._steps = _Steps()

    def add(self, ours: tuple[Array, Array], theirs: tuple[Array, Array]) -> None:
        """(mean, logvar) [n, *latent] of both."""
        a, b = (
            np.concatenate([part.reshape(len(part), -1) for part in side], axis=1, dtype=np.float64)
            for side in (ours, theirs)
        )
        error = np.abs(a - b)
        self._total += float(error.sum())
        self._values += error.size
        self._largest = max(self._largest, float(error.max()))
        self._relative = max(self._relative, float((error / np.maximum(1.0, np.abs(a))).max()))
        self._steps.add(error * _POSTERIOR_STEPS)

    def result(self) -> dict[str, Any]:
        """Fields of an `EncoderComparison`."""
        return {
            "max_error": self._largest,
            "mean_error": self._total / self._values,
            "relative_error": self._relative,
            "cost": self._steps.cost(),
        }
