"""Latents and labels as a pure function of (seed, sample), the same bits on every backend.

Each kind of randomness has its own Philox stream: kind | tensor index << 8 (`kernels.philox`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import OptionError
from engine.core.spec import GeneratorSpec, Noise
from kernels import philox
from kernels.truncated_normal import truncated_normal


class Kind(IntEnum):
    """What a stream of random words is for."""

    LATENT = 0
    LABEL = 1
    REPARAMETERISATION = 2
    NOISE_LAYER = 3
    TOKEN = 4


def stream(kind: Kind, index: int = 0) -> int:
    """The stream number of the index-th tensor of a kind."""
    return int(kind) | index << 8


def draw(
    noise: Noise,
    seed: int,
    start: int,
    count: int,
    *,
    kind: Kind = Kind.LATENT,
    index: int = 0,
    truncation: float | None = None,
) -> NDArray[np.float32]:
    """Samples start .. start + count of a noise input: [count, *noise.shape] float32.

    truncation t draws from the normal truncated to [-t, t], by inverse CDF of the same words.
    Raises OptionError when it is not positive, or given for a uniform latent.
    """
    check_truncation(noise, truncation)
    number = stream(kind, index)
    if noise.distribution == "uniform":
        flat = philox.uniform(seed, start, count, noise.size, number) * np.float32(2) - np.float32(
            1
        )
    elif truncation is not None:
        flat = truncated_normal(seed, start, count, noise.size, truncation, number)
    else:
        flat = philox.normal(seed, start, count, noise.size, number)
    return flat.reshape(count, *noise.shape)


@dataclass(frozen=True, slots=True)
class NoiseOf:
    """Noise that networks take beside their latent: that of each sample, or of the one `still`."""

    seed: int
    still: int | None = None

    def of(self, layer: Noise, index: int, first: int, count: int) -> NDArray[np.float32]:
        """That of a noise layer for samples first .. first + count: [count, *layer.shape]."""
        kind = Kind.NOISE_LAYER
        if self.still is None:
            return draw(layer, self.seed, first, count, kind=kind, index=index)
        one = draw(layer, self.seed, self.still, 1, kind=kind, index=index)
        return np.repeat(one, count, axis=0)


def tried(
    spec: GeneratorSpec, z: NDArray[np.float32], seed: int, start: int
) -> dict[str, NDArray[np.float32]]:
    """Inputs for `Engine.decode` where a network is merely tried: z [n, *latent shape] by name.

    Noise stands for what else only a caller has, that of samples start .. start + n of the seed.
    """
    noise = NoiseOf(seed)
    further = {
        layer.name: noise.of(layer, index, start, len(z))
        for index, layer in enumerate(spec.noise)
        if layer.distribution == "given"
    }
    return {spec.latent.name: z, **further}


def check_truncation(noise: Noise, truncation: float | None) -> None:
    """Raise OptionError when it is not positive, or given for a uniform latent."""
    if truncation is not None and not (math.isfinite(truncation) and truncation > 0):
        raise OptionError(f"truncation={truncation} must be a positive number")
    if truncation is not None and noise.distribution != "normal":
        raise OptionError(
            f"truncation={truncation} applies to normal latents, {noise.name!r} is "
            f"{noise.distribution}; leave it out"
        )


def random_labels(classes: int, seed: int, start: int, count: int) -> NDArray[np.int64]:
    """Uniform class indices of samples start .. start + count: [count] int64."""
    return philox.integers(seed, start, count, classes, stream(Kind.LABEL))


def interpolate(
    first: NDArray[np.float32], last: NDArray[np.float32], steps: int, noise: Noise
) -> NDArray[np.float32]:
    """Latents on the way from first to last, both included: [steps, *noise.shape] float32.

    Normal latents go along the great circle, so that the length stays typical of the distribution
    (slerp; White: Sampling generative networks, 2016); uniform ones along the line.
    """
    if steps < 2:
        raise OptionError(f"steps={steps} must be at least 2: both ends are part of the way")
    position = np.linspace(0.0, 1.0, steps).reshape(-1, *(1,) * len(noise.shape))
    a, b = first.astype(np.float64), last.astype(np.float64)
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    cosine = float(np.sum(a * b)) / length if length else 1.0
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    # Near 0 and pi the great circle is undefined or numerically void; the line is its limit.
    if noise.distribution != "normal" or np.sin(angle) < 1e-6:
        way = a + (b - a) * position
    else:
        way = (np.sin((1 - position) * angle) * a + np.sin(position * angle) * b) / np.sin(angle)
    return way.astype(np.float32)
