"""What a lower precision may cost the samples: the image budget, and how the cost is taken."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOWEST_MEAN_PSNR_DB = 45.0
LOWEST_WORST_PSNR_DB = 38.0
LARGEST_MEAN_DIFFERENCE = 0.25

_PEAK = 255.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cost:
    """Distance of samples from those of fp32, in steps of uint8.

    mean_psnr_db: of the mean squared error over all samples; worst_psnr_db: of the worst sample.
    Infinite where they are equal.
    """

    mean_psnr_db: float
    worst_psnr_db: float
    mean_difference: float

    @classmethod
    def of(cls, samples: NDArray[Any], reference: NDArray[Any]) -> Cost:
        """Of samples [n, ...] in steps of uint8, as `steps` gives them or uint8 themselves.

        Infinitely far where a number is not finite.
        """
        error = samples.astype(np.float64) - reference
        if not np.isfinite(error).all():
            return cls(-math.inf, -math.inf, math.inf)
        by_sample = error.reshape(len(error), -1)
        return cls.gathered(np.square(by_sample).mean(axis=1), np.abs(by_sample).mean(axis=1))

    @classmethod
    def gathered(cls, squares: Floats, differences: Floats) -> Cost:
        """Of the mean squared error of each sample [n] and its mean absolute error [n]."""
        return cls(
            mean_psnr_db=_decibel(float(squares.mean())),
            worst_psnr_db=_decibel(float(squares.max())),
            mean_difference=round(float(differences.mean()), 4),
        )

    @property
    def holds(self) -> bool:
        """Whether it is within the budget."""
        return (
            self.mean_psnr_db >= LOWEST_MEAN_PSNR_DB
            and self.worst_psnr_db >= LOWEST_WORST_PSNR_DB
            and self.mean_difference <= LARGEST_MEAN_DIFFERENCE
        )

    def __str__(self) -> str:
        return (
            f"PSNR to fp32 {self.mean_psnr_db:.1f} dB (at least {LOWEST_MEAN_PSNR_DB:g}), worst "
            f"sample {self.worst_psnr_db:.1f} dB (at least {LOWEST_WORST_PSNR_DB:g}), uint8 "
            f"differs by {self.mean_difference:.3f} on average (at most "
            f"{LARGEST_MEAN_DIFFERENCE:g})"
        )


def steps(values: NDArray[Any], value_range: tuple[float, float], *, image: bool) -> NDArray[Any]:
    """Samples of a model's range in steps of uint8, clipped; those of images rounded as well."""
    low, high = value_range
    scaled = (values.astype(np.float64) - low) * (_PEAK / (high - low))
    clipped = np.clip(scaled, 0.0, _PEAK)
    return np.rint(clipped) if image else clipped


def _decibel(mean_square: float) -> float:
    return round(10 * math.log10(_PEAK**2 / mean_square), 2) if mean_square else math.inf
