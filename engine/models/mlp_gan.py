"""The fully connected GAN of the field's first examples (Goodfellow et al. 2014).

Generator: noise -> 128 -> 256 -> 512 -> 1024 -> image, batch norm from the second layer on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from engine.core.errors import OptionError
from engine.models.base import GeneratorModule, check_sizes, with_one_hot
from engine.models.init import dcgan_init


class MLPGenerator(GeneratorModule):
    """z [B, latent] (, labels [B]) -> images [B, channels, size, size] in [-1, 1]."""

    family = "gan-mlp"
    output_range = (-1.0, 1.0)

    def __init__(
        self,
        size: int = 28,
        channels: int = 1,
        latent: int = 100,
        hidden: Sequence[int] = (128, 256, 512, 1024),
        classes: int = 0,
    ) -> None:
        super().__init__()
        check_sizes(size=size, channels=channels, latent=latent, classes=classes)
        _check_hidden(hidden)
        self.latent_size = latent
        self.classes = classes
        self.output_shape = (channels, size, size)
        layers: list[nn.Module] = []
        features = latent + classes
        for index, out in enumerate(hidden):
            layers.append(nn.Linear(features, out))
            if index:
                layers.append(nn.BatchNorm1d(out))
            layers.append(nn.LeakyReLU(0.2, inplace=True))
            features = out
        layers += [nn.Linear(features, math.prod(self.output_shape)), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(dcgan_init)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        flat: Tensor = self.layers(with_one_hot(z, labels, self.classes))
        return flat.reshape(-1, *self.output_shape)


class MLPDiscriminator(nn.Module):
    """images [B, channels, size, size] (, labels [B]) -> logits [B]; positive means real."""

    def __init__(
        self,
        size: int = 28,
        channels: int = 1,
        hidden: Sequence[int] = (512, 256),
        classes: int = 0,
    ) -> None:
        super().__init__()
        check_sizes(size=size, channels=channels, classes=classes)
        _check_hidden(hidden)
        self.classes = classes
        layers: list[nn.Module] = []
        features = channels * size * size + classes
        for out in hidden:
            layers += [nn.Linear(features, out), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.3)]
            features = out
        self.layers = nn.Sequential(*layers, nn.Linear(features, 1))
        self.apply(dcgan_init)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        logits: Tensor = self.layers(with_one_hot(images.flatten(1), labels, self.classes))
        return logits.flatten()


def _check_hidden(hidden: Sequence[int]) -> None:
    if not hidden:
        raise OptionError("hidden must name at least one layer size")
    for size in hidden:
        check_sizes(hidden=size)
