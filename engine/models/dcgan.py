"""DCGAN: transposed convolutions from noise to images, and their mirror image as discriminator.

Radford, Metz, Chintala: Unsupervised representation learning with deep convolutional generative
adversarial networks (2016). Conditional generator: class as a one-hot beside the noise (Mirza,
Osindero 2014). Conditional discriminator: projection (Miyato, Koyama 2018).
"""

from __future__ import annotations

from torch import Tensor, nn

from engine.core.errors import OptionError
from engine.models.base import GeneratorModule, check_sizes, with_one_hot
from engine.models.init import dcgan_init


class DCGANGenerator(GeneratorModule):
    """z [B, latent] -> images [B, channels, size, size] in [-1, 1].

    1x1 -> 4x4 by a first transposed convolution, then doubled by k 4, stride 2, padding 1 until
    `size`; `width` channels before the image layer, doubling towards the 4x4 end.
    """

    family = "dcgan"
    output_range = (-1.0, 1.0)

    def __init__(
        self,
        size: int = 64,
        channels: int = 3,
        latent: int = 100,
        width: int = 64,
        classes: int = 0,
    ) -> None:
        super().__init__()
        check_image(size, channels)
        check_sizes(latent=latent, width=width, classes=classes)
        self.latent_size = latent
        self.classes = classes
        self.output_shape = (channels, size, size)

        features = width * size // 8
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(latent + classes, features, 4, 1, 0, bias=False),
            nn.BatchNorm2d(features),
            nn.ReLU(inplace=True),
        ]
        while features > width:
            layers += [
                nn.ConvTranspose2d(features, features // 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(features // 2),
                nn.ReLU(inplace=True),
            ]
            features //= 2
        layers += [nn.ConvTranspose2d(features, channels, 4, 2, 1, bias=False), nn.Tanh()]
        self.layers = nn.Sequential(*layers)
        self.apply(dcgan_init)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        features = with_one_hot(z, labels, self.classes)
        images: Tensor = self.layers(features[:, :, None, None])
        return images


class DCGANDiscriminator(nn.Module):
    """images [B, channels, size, size] (, labels [B]) -> logits [B]; positive means real."""

    def __init__(
        self, size: int = 64, channels: int = 3, width: int = 64, classes: int = 0
    ) -> None:
        super().__init__()
        check_image(size, channels)
        check_sizes(width=width, classes=classes)
        features = width
        layers: list[nn.Module] = [
            nn.Conv2d(channels, features, 4, 2, 1),
            nn.LeakyReLU(0.2, inplace=True),
        ]
        for _ in range((size // 8).bit_length() - 1):
            layers += [
                nn.Conv2d(features, features * 2, 4, 2, 1, bias=False),
                nn.BatchNorm2d(features * 2),
                nn.LeakyReLU(0.2, inplace=True),
            ]
            features *= 2
        self.layers = nn.Sequential(*layers)
        self.head = nn.Conv2d(features, 1, 4, 1, 0)
        self.projection = nn.Embedding(classes, features) if classes else None
        self.apply(dcgan_init)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        features: Tensor = self.layers(images)
        logits: Tensor = self.head(features).flatten()
        if self.projection is not None:
            if labels is None:
                raise OptionError("a conditional discriminator needs labels")
            logits = logits + (self.projection(labels) * features.mean((2, 3))).sum(1)
        return logits


def check_image(size: int, channels: int) -> None:
    """Raise OptionError unless size is a power of two from 32 and channels is positive."""
    check_sizes(channels=channels)
    if not isinstance(size, int) or size < 32 or size & (size - 1):
        raise OptionError(f"size={size!r} must be a power of two of at least 32 (32, 64, 128, ...)")
