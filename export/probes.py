"""Inputs that graphs are probed and calibrated on: typical ones, and such as hardly ever come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.core.spec import GeneratorSpec, Noise, image_channels
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
    deviations out. Typical images for an encoder are the decoder's own samples; for networks that
    are given images they are smooth ones, with a shape in front. Extreme images are black and white
    noise.
    """
    spec = loaded.spec
    typical, extreme = _latents(spec)
    labels = {}
    if spec.condition is not None:
        labels = {spec.condition.name: random_labels(len(spec.classes), _SEED, 0, _TYPICAL)}
    if entry_point == "encoder":
        images = np.clip(_samples(loaded, {**typical, **labels}), *spec.output.range)
        typical = {"images": images}
        extreme = {"images": _black_and_white(spec.output.shape, spec.output.range)}
    for name, values in labels.items():
        typical[name], extreme[name] = values, values[:_EXTREME]
    return typical, extreme


def _latents(spec: GeneratorSpec) -> tuple[Arrays, Arrays]:
    typical: Arrays = {}
    extreme: Arrays = {}
    for index, noise in enumerate((spec.latent, *spec.noise)):
        if noise.distribution == "given" and _takes_images(noise, spec):
            typical[noise.name] = _pictures(noise.shape, spec.output.range)
            extreme[noise.name] = _black_and_white(noise.shape, spec.output.range)
            continue
        kind = Kind.LATENT if index == 0 else Kind.NOISE_LAYER
        place = max(index - 1, 0)
        drawn = draw(noise, _SEED, 0, _TYPICAL, kind=kind, index=place)
        far = _DEVIATIONS if noise.distribution == "normal" else 1.0
        typical[noise.name] = drawn
        extreme[noise.name] = np.copysign(np.float32(far), drawn[:_EXTREME]).astype(np.float32)
    return typical, extreme


def _takes_images(noise: Noise, spec: GeneratorSpec) -> bool:
    return (
        spec.modality == "image"
        and len(noise.shape) == len(spec.output.shape)
        and (image_channels(noise.shape[0]) != "")
    )


def _pictures(shape: tuple[int, ...], span: tuple[float, float]) -> NDArray[np.float32]:
    """Images [n, C, H, W] in which most is smooth, as in photographs, and a square has edges."""
    rng = np.random.default_rng(_SEED)
    channels, height, width = shape
    y, x = np.mgrid[:height, :width] / max(height, width)
    images = np.zeros((_TYPICAL, *shape))
    for wave in range(1, 9):
        angle, phase = rng.uniform(0, 2 * np.pi, (2, _TYPICAL, channels, 1, 1))
        way = np.cos(angle) * x + np.sin(angle) * y
        images += (
            rng.normal(size=(_TYPICAL, channels, 1, 1))
            / wave
            * np.cos(2 * np.pi * wave * way + phase)
        )
    for image in images:
        top, left = rng.integers(0, (height, width))
        image[:, top : top + height // 3, left : left + width // 3] = rng.normal(
            size=(channels, 1, 1)
        )
    low, high = span
    shares = 1 / (1 + np.exp(-2 * images))
    return (low + (high - low) * shares).astype(np.float32)


def _black_and_white(shape: tuple[int, ...], span: tuple[float, float]) -> NDArray[np.float32]:
    white = np.random.default_rng(_SEED).random((_EXTREME, *shape)) > 0.5
    return np.where(white, span[1], span[0]).astype(np.float32)


def _samples(loaded: LoadedGenerator, feed: Arrays) -> NDArray[np.float32]:
    import torch

    from export.graph import input_names
    from export.parity import run_module

    names = input_names(loaded.spec, "decoder")
    inputs = tuple(torch.from_numpy(feed[name]) for name in names)
    return run_module(loaded.entry_points["decoder"], inputs)[0]
