"""Convolutional variational autoencoder (Kingma, Welling: Auto-encoding variational Bayes, 2014).

Encoder: stride-2 convolutions to a diagonal Gaussian. Decoder: transposed convolutions from a
latent to images. The loss lives in `training.losses`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engine.models.base import GeneratorModule, check_sizes, with_one_hot
from engine.models.dcgan import check_image


class VAEEncoder(nn.Module):
    """images [B, C, S, S] in [0, 1] (, labels [B]) -> mean, logvar, both [B, latent]."""

    def __init__(self, size: int, channels: int, latent: int, width: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        layers: list[nn.Module] = []
        features, out = channels, width
        for _ in range(doublings(size)):
            layers += [
                nn.Conv2d(features, out, 4, 2, 1, bias=False),
                nn.BatchNorm2d(out),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            features, out = out, out * 2
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.mean = nn.Linear(features * 16 + classes, latent)
        self.logvar = nn.Linear(features * 16 + classes, latent)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> tuple[Tensor, Tensor]:
        features = with_one_hot(self.layers(images), labels, self.classes)
        return self.mean(features), self.logvar(features)


class VAEDecoder(nn.Module):
    """z [B, latent] (, labels [B]) -> images [B, C, S, S] in [0, 1].

    `logits` gives the values before the sigmoid, which the Bernoulli likelihood wants.
    """

    def __init__(self, size: int, channels: int, latent: int, width: int, classes: int) -> None:
        super().__init__()
        self.classes = classes
        features = width * size // 8
        self.features = features
        self.project = nn.Linear(latent + classes, features * 16)
        layers: list[nn.Module] = [nn.ReLU(inplace=True)]
        while features > width:
            layers += [
                nn.ConvTranspose2d(features, features // 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(features // 2),
                nn.ReLU(inplace=True),
            ]
            features //= 2
        layers.append(nn.ConvTranspose2d(features, channels, 4, 2, 1))
        self.layers = nn.Sequential(*layers)

    def logits(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Values before the sigmoid, [B, C, S, S]."""
        features = self.project(with_one_hot(z, labels, self.classes))
        logits: Tensor = self.layers(features.reshape(-1, self.features, 4, 4))
        return logits

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        return torch.sigmoid(self.logits(z, labels))


class VAE(GeneratorModule):
    """Encoder, reparameterisation and decoder; `forward` is the decoder.

    size is a power of two from 32, images lie in [0, 1].
    """

    family = "vae"
    output_range = (0.0, 1.0)

    def __init__(
        self, size: int = 32, channels: int = 1, latent: int = 16, width: int = 32, classes: int = 0
    ) -> None:
        super().__init__()
        check_image(size, channels)
        check_sizes(latent=latent, width=width, classes=classes)
        self.latent_size = latent
        self.classes = classes
        self.output_shape = (channels, size, size)
        self.encoder = VAEEncoder(size, channels, latent, width, classes)
        self.decoder = VAEDecoder(size, channels, latent, width, classes)

    def entry_points(self) -> dict[str, nn.Module]:
        """The decoder and the encoder."""
        return {"decoder": self.decoder, "encoder": self.encoder}

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        images: Tensor = self.decoder(z, labels)
        return images


def reparameterise(mean: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
    """z = mean + exp(logvar / 2) * eps, all [B, latent] (Kingma, Welling 2014, section 2.4)."""
    return mean + torch.exp(0.5 * logvar) * eps


def doublings(size: int) -> int:
    """Stride-2 layers between 4x4 and size x size."""
    return (size // 4).bit_length() - 1
