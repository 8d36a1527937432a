"""Inputs of an entry point by name, for samples of any numbers."""

from __future__ import annotations

import numpy as np

from engine.backends.base import ENCODER_INPUT
from engine.core.spec import GeneratorSpec
from engine.latents import Kind, draw
from engine.layerwise.layers import Array, Samples


def feed(spec: GeneratorSpec, entry_point: str, samples: Samples) -> dict[str, Array]:
    """What a backend is fed, in the order in which a network takes it."""
    encoding = entry_point == "encoder"
    inputs: dict[str, Array] = {}
    if encoding:
        assert samples.images is not None
        inputs[ENCODER_INPUT] = samples.images
    else:
        inputs[spec.latent.name] = samples.z.reshape(len(samples.z), *spec.latent.shape)
    if spec.condition is not None and samples.labels is not None:
        inputs[spec.condition.name] = samples.labels
    for index, noise in enumerate(() if encoding else spec.noise):
        drawn = [
            draw(noise, samples.seed, number, 1, kind=Kind.NOISE_LAYER, index=index)
            for number in samples.numbers
        ]
        inputs[noise.name] = np.concatenate(drawn)
    return inputs
