"""How far two engines are apart on the same latents."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from engine.core.errors import OptionError

if TYPE_CHECKING:
    from engine.api import Engine
    from engine.cli.worst import Worst

# More samples than this at once is memory without use, when batch sizes have no small multiple.
_MOST_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class Comparison:
    """Differences of `samples` samples in the model's own range, accumulated in float64.

    psnr_db: peak signal-to-noise ratio over all values, the peak being the width of the output
        range; infinite for equal outputs.
    worst_sample: index of the sample with the largest difference.
    """

    samples: int
    max_error: float
    mean_error: float
    psnr_db: float
    worst_sample: int

    def within(self, max_error: float, min_psnr_db: float | None) -> bool:
        """Whether the differences stay within the tolerance."""
        close = self.max_error <= max_error
        return close and (min_psnr_db is None or self.psnr_db >= min_psnr_db)


def compare(
    a: Engine,
    b: Engine,
    n: int,
    seed: int = 0,
    advance: Callable[[int], object] | None = None,
    worst_of: Worst | None = None,
) -> Comparison:
    """Decode samples 0 .. n of a seed with both, from the latents and labels of `a`.

    `advance` is called with the number of samples just done; `worst_of` is offered all samples.
    Raises OptionError when the two models take or give different things.
    """
    _check_alike(a, b)
    size = math.lcm(a.batch_size, b.batch_size)
    if size > _MOST_AT_ONCE:
        size = max(a.batch_size, b.batch_size)
    total, squares, largest, worst, values = 0.0, 0.0, -1.0, 0, 0
    for first in range(0, n, size):
        count = min(size, n - first)
        z = a.latents(count, seed=seed, start=first)
        labels = a.labels(count, seed=seed, start=first)
        ours, theirs = (
            engine.decode(z, labels, seed=seed, start=first, output="float32").astype(np.float64)
            for engine in (a, b)
        )
        error = np.abs(ours - theirs)
        total += float(error.sum())
        squares += float(np.square(error).sum())
        values += error.size
        by_sample = error.reshape(count, -1).max(axis=1)
        if by_sample.max() > largest:
            largest, worst = float(by_sample.max()), first + int(by_sample.argmax())
        if worst_of is not None:
            worst_of.offer(first, by_sample, ours, theirs)
        if advance is not None:
            advance(count)
    low, high = a.spec.output.range
    mean_square = squares / values
    psnr_db = 10 * math.log10((high - low) ** 2 / mean_square) if mean_square else math.inf
    return Comparison(n, largest, total / values, psnr_db, worst)


def _check_alike(a: Engine, b: Engine) -> None:
    for what, ours, theirs in (
        ("latents of shape", a.spec.latent.shape, b.spec.latent.shape),
        ("outputs of shape", a.spec.output.shape, b.spec.output.shape),
        ("outputs in the range", a.spec.output.range, b.spec.output.range),
        ("a number of classes of", len(a.spec.classes), len(b.spec.classes)),
    ):
        if ours != theirs:
            raise OptionError(
                f"nothing to compare: {a.artifact.path.name} has {what} {ours}, "
                f"{b.artifact.path.name} {theirs}"
            )
