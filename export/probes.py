"""Inputs that graphs are probed and calibrated on: typical ones, and such as hardly ever come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.core.spec import GeneratorSpec
from engine.latents import Kind, draw, random_labels

if TYPE_CHECKING:
    from engine.models.loaded import LoadedGenerator

_TYPICAL = 48
_EXTREME = 16
_SEED = 20260101
_DEVIATIONS = 4.0

Arrays = dict[str, NDArray[Any]]


def probe_inputs(loaded: LoadedGenerator, entry_point: str) -> tuple[Arrays, Arrays]:
    """Typical and extreme inputs of an entry point.

    Typical latents come from the model's distribution, extreme ones have every number four
    deviations out. Typical images are the decoder's own samples; extreme ones are black and white
    noise.
    """
    spec = loaded.spec
    typical, extreme = _latents(spec)
    labels = {}
    if spec.condition is not None:
        labels = {spec.condition.name: random_labels(len(spec.classes), _SEED, 0, _TYPICAL)}
    if entry_point == "encoder":
        low, high = spec.output.range
        images = np.clip(_samples(loaded, {**typical, **labels}), low, high)
        white = np.random.default_rng(_SEED).random((_EXTREME, *spec.output.shape)) > 0.5
        typical = {"images": images}
        extreme = {"images": np.where(white, high, low).astype(np.float32)}
    for name, values in labels.items():
        typical[name], extreme[name] = values, values[:_EXTREME]
    return typical, extreme


def _latents(spec: GeneratorSpec) -> tuple[Arrays, Arrays]:
    typical: Arrays = {}
    extreme: Arrays = {}
    for index, noise in enumerate((spec.latent, *spec.noise)):
        kind = Kind.LATENT if index == 0 else Kind.NOISE_LAYER
        place = max(index - 1, 0)
        drawn = draw(noise, _SEED, 0, _TYPICAL, kind=kind, index=place)
        far = _DEVIATIONS if noise.distribution == "normal" else 1.0
        typical[noise.name] = drawn
        extreme[noise.name] = np.copysign(np.float32(far), drawn[:_EXTREME]).astype(np.float32)
    return typical, extreme


def _samples(loaded: LoadedGenerator, feed: Arrays) -> NDArray[np.float32]:
    import torch

    from export.graph import input_names
    from export.parity import run_module

    names = input_names(loaded.spec, "decoder")
    inputs = tuple(torch.from_numpy(feed[name]) for name in names)
    return run_module(loaded.entry_points["decoder"], inputs)[0]
