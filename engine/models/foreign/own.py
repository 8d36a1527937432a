"""A bare state dict of one of our own networks: its arguments read off the shapes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from engine.core.errors import OptionError
from engine.models.base import GeneratorModule
from engine.models.registry import create

Arguments = dict[str, Any]


def own_network(
    tensors: Mapping[str, Tensor], classes: int | None
) -> tuple[GeneratorModule, str, Arguments] | None:
    """The network of `engine.models` whose keys and shapes are exactly these, or None.

    A network is told apart from a stranger's by all of its names, so nothing has to be assumed.
    """
    shapes = {key: tuple(tensor.shape) for key, tensor in tensors.items()}
    for name, arguments in _guesses(shapes, classes or 0):
        try:
            module = create(name, **arguments)
        # A guess that is no network at all.
        except OptionError:
            continue
        if {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()} == shapes:
            return module, name, arguments
    return None


def _guesses(
    shapes: Mapping[str, tuple[int, ...]], classes: int
) -> Iterator[tuple[str, Arguments]]:
    weights = [
        shape
        for key, shape in shapes.items()
        if key.startswith("layers.") and key.endswith(".weight") and len(shape) > 1
    ]
    if weights and len(weights[0]) == 4:
        inputs, features = weights[0][:2]
        width, channels = weights[-1][:2]
        size = 8 * features // width
        yield "dcgan", _sizes(size, channels, inputs - classes, classes) | {"width": width}
    if weights and len(weights[0]) == 2:
        hidden = [shape[0] for shape in weights[:-1]]
        for channels in (1, 3):
            size = math.isqrt(weights[-1][0] // channels)
            sizes = _sizes(size, channels, weights[0][1] - classes, classes)
            yield "gan-mlp", sizes | {"hidden": hidden}
    project, mean = shapes.get("decoder.project.weight"), shapes.get("encoder.mean.weight")
    first = shapes.get("encoder.layers.0.weight")
    if project and mean and first:
        latent = mean[0]
        width, channels = first[:2]
        size = 8 * (project[0] // 16) // width
        yield "vae", _sizes(size, channels, latent, project[1] - latent) | {"width": width}


def _sizes(size: int, channels: int, latent: int, classes: int) -> Arguments:
    return {"size": size, "channels": channels, "latent": latent, "classes": classes}
