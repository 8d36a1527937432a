"""Strangers' networks, each as a public implementation writes it, by name."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F


def dcgan(
    latent: int = 12,
    widths: tuple[int, ...] = (32, 16, 8),
    channels: int = 1,
    first: int = 4,
    act: Callable[[], nn.Module] = nn.ReLU,
    norm: bool = True,
    dropout: bool = False,
) -> nn.Sequential:
    """The network of PyTorch's DCGAN tutorial."""
    layers: list[nn.Module] = []
    inputs = latent
    for index, width in enumerate(widths):
        geometry = (4, 2, 1) if index else (first, 1, 0)
        layers.append(nn.ConvTranspose2d(inputs, width, *geometry, bias=not norm))
        layers += [nn.BatchNorm2d(width)] if norm else []
        layers += [act(), *([nn.Dropout(0.2)] if dropout else [])]
        inputs = width
    return nn.Sequential(*layers, nn.ConvTranspose2d(inputs, channels, 4, 2, 1), nn.Tanh())


class Column(nn.Module):
    """z [B, latent] into a network that wants [B, latent, 1, 1]."""

    def __init__(self, main: nn.Module) -> None:
        super().__init__()
        self.main = main

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.main(z[:, :, None, None])
        return out


class Coursera(nn.Module):
    """DCGAN of the GAN specialisation: default paddings, 1 -> 3 -> 6 -> 13 -> 28."""

    def __init__(self) -> None:
        super().__init__()
        sizes = ((10, 32, 3, 2), (32, 16, 4, 1), (16, 8, 3, 2))
        blocks = [
            nn.Sequential(nn.ConvTranspose2d(i, o, k, s), nn.BatchNorm2d(o), nn.ReLU())
            for i, o, k, s in sizes
        ]
        last = nn.Sequential(nn.ConvTranspose2d(8, 1, 4, 2), nn.Tanh())
        self.gen = nn.Sequential(*blocks, last)

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.gen(z.view(-1, 10, 1, 1))
        return out


class Named(nn.Module):
    """Layers as attributes, with functional activations."""

    def __init__(self) -> None:
        super().__init__()
        self.deconv1 = nn.ConvTranspose2d(12, 16, 4, 1, 0)
        self.deconv1_bn = nn.BatchNorm2d(16)
        self.deconv2 = nn.ConvTranspose2d(16, 8, 4, 2, 1)
        self.deconv2_bn = nn.BatchNorm2d(8)
        self.deconv3 = nn.ConvTranspose2d(8, 3, 4, 2, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = torch.relu(self.deconv1_bn(self.deconv1(z[:, :, None, None])))
        x = torch.relu(self.deconv2_bn(self.deconv2(x)))
        return torch.tanh(self.deconv3(x))


class Projected(nn.Module):
    """A projection with batch norm, then transposed convolutions; norms listed at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(12, 32 * 49)
        self.conv1 = nn.ConvTranspose2d(32, 16, 4, 2, 1)
        self.conv2 = nn.ConvTranspose2d(16, 1, 4, 2, 1)
        self.bn0 = nn.BatchNorm1d(32 * 49)
        self.bn1 = nn.BatchNorm2d(16)

    def forward(self, z: Tensor) -> Tensor:
        x = torch.relu(self.bn0(self.fc(z))).view(-1, 32, 7, 7)
        return torch.tanh(self.conv2(torch.relu(self.bn1(self.conv1(x)))))


class Conditional(nn.Module):
    """DCGAN with a class: one-hot, or an embedding before or behind the noise."""

    def __init__(self, embedding: int = 0, first: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, embedding) if embedding else None
        self.first = first
        self.net = dcgan(8 + (embedding or 5))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        condition = F.one_hot(labels, 5).float() if self.embed is None else self.embed(labels)
        x = torch.cat([condition, z] if self.first else [z, condition], 1)
        out: Tensor = self.net(x[:, :, None, None])
        return out


class PyTorchGAN(nn.Module):
    """eriklindernoren/PyTorch-GAN gan.py and cgan.py, whose batch norms have eps 0.8."""

    def __init__(self, classes: int = 0, eps: float = 0.8) -> None:
        super().__init__()
        if classes:
            self.label_emb = nn.Embedding(classes, classes)
        layers: list[nn.Module] = [nn.Linear(20 + classes, 128), nn.LeakyReLU(0.2)]
        for i, o in ((128, 256), (256, 512), (512, 1024)):
            layers += [nn.Linear(i, o), nn.BatchNorm1d(o, eps), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*layers, nn.Linear(1024, 784), nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is not None:
            z = torch.cat([self.label_emb(labels), z], -1)
        out: Tensor = self.model(z).view(-1, 1, 28, 28)
        return out


class PyTorchGANConv(nn.Module):
    """eriklindernoren/PyTorch-GAN dcgan.py and acgan.py: upsampling and convolutions."""

    def __init__(self, classes: int = 0) -> None:
        super().__init__()
        if classes:
            self.label_emb = nn.Embedding(classes, 20)
        self.l1 = nn.Sequential(nn.Linear(20, 16 * 64))
        self.conv_blocks = nn.Sequential(
            nn.BatchNorm2d(16),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(16, 16, 3, 1, 1),
            nn.BatchNorm2d(16, 0.8),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(16, 8, 3, 1, 1),
            nn.BatchNorm2d(8, 0.8),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8, 3, 3, 1, 1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        x = z if labels is None else self.label_emb(labels) * z
        out: Tensor = self.conv_blocks(self.l1(x).view(-1, 16, 8, 8))
        return out


class ExampleVAE(nn.Module):
    """pytorch/examples vae; forward is its decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(784, 40)
        self.fc21 = nn.Linear(40, 12)
        self.fc22 = nn.Linear(40, 12)
        self.fc3 = nn.Linear(12, 40)
        self.fc4 = nn.Linear(40, 784)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.relu(self.fc1(x.flatten(1)))
        return self.fc21(hidden), self.fc22(hidden)

    def forward(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.fc4(torch.relu(self.fc3(z)))).view(-1, 1, 28, 28)


class PyTorchVAE(nn.Module):
    """AntixK/PyTorch-VAE vanilla_vae; forward is its decoder."""

    def __init__(self) -> None:
        super().__init__()
        widths = (8, 16, 32)
        down = [
            nn.Sequential(nn.Conv2d(i, o, 3, 2, 1), nn.BatchNorm2d(o), nn.LeakyReLU())
            for i, o in zip((3, *widths), widths, strict=False)
        ]
        self.encoder = nn.Sequential(*down)
        self.fc_mu = nn.Linear(32 * 16, 12)
        self.fc_var = nn.Linear(32 * 16, 12)
        self.decoder_input = nn.Linear(12, 32 * 16)
        self.decoder = nn.Sequential(self.up(32, 16), self.up(16, 8))
        self.final_layer = nn.Sequential(*self.up(8, 8), nn.Conv2d(8, 3, 3, padding=1), nn.Tanh())

    @staticmethod
    def up(inputs: int, outputs: int) -> nn.Sequential:
        layer = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, 1)
        return nn.Sequential(layer, nn.BatchNorm2d(outputs), nn.LeakyReLU())

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(x).flatten(1)
        return self.fc_mu(hidden), self.fc_var(hidden)

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.final_layer(self.decoder(self.decoder_input(z).view(-1, 32, 4, 4)))
        return out


class SmallVAE(nn.Module):
    """A decoder from 3x3: the first transposed convolution has no padding (3 -> 7 -> 14 -> 28)."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 144), nn.ReLU())
        self.conv = nn.Sequential(
            nn.ConvTranspose2d(16, 16, 3, 2),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 8, 3, 2, 1, 1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.ConvTranspose2d(8, 1, 3, 2, 1, 1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.conv(self.lin(z).view(-1, 16, 3, 3))
        return out


def unflatten() -> nn.Module:
    return nn.Sequential(
        nn.Linear(12, 16 * 16),
        nn.ReLU(),
        nn.Unflatten(1, (16, 4, 4)),
        nn.ConvTranspose2d(16, 8, 4, 2, 1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 1, 4, 2, 1),
        nn.Tanh(),
    )


def wave() -> nn.Module:
    """A small WaveGAN."""
    return nn.Sequential(
        nn.Linear(12, 16 * 16),
        nn.ReLU(),
        nn.Unflatten(1, (16, 16)),
        nn.ConvTranspose1d(16, 8, 25, 4, 11, 1),
        nn.ReLU(),
        nn.ConvTranspose1d(8, 1, 25, 4, 11, 1),
        nn.Tanh(),
    )


class FullyConvolutionalVAE(nn.Module):
    """sksq96/pytorch-vae: a 1x1 start, default paddings; forward is its decoder."""

    def __init__(self) -> None:
        super().__init__()
        down = [(3, 4), (4, 8), (8, 8), (8, 16)]
        layers = [part for i, o in down for part in (nn.Conv2d(i, o, 4, 2), nn.ReLU())]
        self.encoder = nn.Sequential(*layers, nn.Flatten())
        self.fc1 = nn.Linear(64, 12)
        self.fc2 = nn.Linear(64, 12)
        self.fc3 = nn.Linear(12, 64)
        up = [(64, 16, 5), (16, 8, 5), (8, 4, 6)]
        layers = [part for i, o, k in up for part in (nn.ConvTranspose2d(i, o, k, 2), nn.ReLU())]
        last = (nn.ConvTranspose2d(4, 3, 6, 2), nn.Sigmoid())
        self.decoder = nn.Sequential(nn.Unflatten(1, (64, 1, 1)), *layers, *last)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.encoder(x)
        return self.fc1(hidden), self.fc2(hidden)

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.fc3(z))
        return out


class Interpolated(nn.Module):
    """Convolutions with functional upsampling, which leaves no trace."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(12, 32 * 16)
        self.c1, self.b1 = nn.Conv2d(32, 16, 3, 1, 1), nn.BatchNorm2d(16)
        self.c2, self.b2 = nn.Conv2d(16, 8, 3, 1, 1), nn.BatchNorm2d(8)
        self.c3 = nn.Conv2d(8, 3, 3, 1, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = torch.relu(self.fc(z)).view(-1, 32, 4, 4)
        x = torch.relu(self.b1(self.c1(F.interpolate(x, scale_factor=2))))
        x = torch.relu(self.b2(self.c2(F.interpolate(x, scale_factor=2))))
        return torch.tanh(self.c3(F.interpolate(x, scale_factor=2)))


class ShortNames(nn.Module):
    """Kernels of 5, and a part called `d`, which is no discriminator."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(12, 32 * 16)
        self.bn = nn.BatchNorm1d(32 * 16)
        blocks = [
            part
            for i, o in ((32, 16), (16, 8))
            for part in (nn.ConvTranspose2d(i, o, 5, 2, 2, 1), nn.BatchNorm2d(o), nn.ReLU())
        ]
        self.d = nn.Sequential(*blocks, nn.ConvTranspose2d(8, 3, 5, 2, 2, 1), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.d(torch.relu(self.bn(self.fc(z))).view(-1, 32, 4, 4))
        return out


class InfoGAN(nn.Module):
    """Natsu6767/InfoGAN-PyTorch: a first layer of kernel 1; sizes 1, 7, 14, 28."""

    def __init__(self) -> None:
        super().__init__()
        self.tconv1, self.bn1 = nn.ConvTranspose2d(12, 32, 1, 1, bias=False), nn.BatchNorm2d(32)
        self.tconv2, self.bn2 = nn.ConvTranspose2d(32, 16, 7, 1, bias=False), nn.BatchNorm2d(16)
        self.tconv3, self.bn3 = nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.tconv4 = nn.ConvTranspose2d(8, 1, 4, 2, 1, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.tconv1(z[:, :, None, None])))
        x = torch.relu(self.bn3(self.tconv3(torch.relu(self.bn2(self.tconv2(x))))))
        return torch.tanh(self.tconv4(x))


def trained(module: nn.Module, latent: int, classes: int = 0, uniform: bool = False) -> nn.Module:
    """Lively weights, and batch norms that have seen batches."""
    for part in module.modules():
        if isinstance(part, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d, nn.ConvTranspose1d)):
            nn.init.normal_(part.weight, 0, 2 / math.sqrt(part.weight[0].numel()))
        if isinstance(bias := getattr(part, "bias", None), Tensor):
            nn.init.normal_(bias, 0, 0.2)
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            # The plain average of all batches: few of them give good statistics.
            part.momentum = None
    module.train()
    with torch.no_grad():
        for _ in range(6):
            z = torch.rand(128, latent) * 2 - 1 if uniform else torch.randn(128, latent)
            module(z, *((torch.randint(classes, (128,)),) if classes else ()))
    return module.eval()


@dataclass(frozen=True)
class Stranger:
    """How to make a network, what it takes, and the options that its checkpoint needs."""

    make: Callable[[], nn.Module]
    latent: int = 12
    classes: int = 0
    options: dict[str, Any] = field(default_factory=dict)


STRANGERS = {
    "dcgan": Stranger(lambda: Column(dcgan())),
    "dcgan-64": Stranger(lambda: Column(dcgan(widths=(32, 16, 8, 8), channels=3))),
    "dcgan-28": Stranger(lambda: Column(dcgan(widths=(32, 8), first=7))),
    "dcgan-bias-no-norm": Stranger(lambda: Column(dcgan(norm=False))),
    "dcgan-dropout": Stranger(lambda: Column(dcgan(dropout=True))),
    "dcgan-leaky": Stranger(lambda: Column(dcgan(act=lambda: nn.LeakyReLU(0.2)))),
    "coursera": Stranger(Coursera, 10),
    "infogan": Stranger(InfoGAN),
    "named": Stranger(Named),
    "projected": Stranger(Projected),
    "short-names": Stranger(ShortNames),
    "interpolated": Stranger(Interpolated),
    "unflatten": Stranger(unflatten),
    "wavegan": Stranger(wave),
    "one-hot": Stranger(Conditional, 8, 5, {"classes": 5}),
    "embedding-last": Stranger(lambda: Conditional(3), 8, 5),
    "embedding-first": Stranger(lambda: Conditional(3, first=True), 8, 5),
    "pytorch-gan": Stranger(PyTorchGAN, 20),
    "pytorch-gan-usual-eps": Stranger(lambda: PyTorchGAN(eps=1e-5), 20),
    "pytorch-gan-classes": Stranger(lambda: PyTorchGAN(5), 20, 5),
    "pytorch-gan-conv": Stranger(PyTorchGANConv, 20),
    "pytorch-gan-acgan": Stranger(lambda: PyTorchGANConv(5), 20, 5),
    "example-vae": Stranger(ExampleVAE),
    "pytorch-vae": Stranger(PyTorchVAE),
    "fully-convolutional-vae": Stranger(FullyConvolutionalVAE),
    "small-vae": Stranger(SmallVAE),
}


@pytest.fixture
def strangers() -> SimpleNamespace:
    """The networks by name, `dcgan` and `column` to vary them, and `trained` to liven them up."""
    return SimpleNamespace(by_name=STRANGERS, dcgan=dcgan, column=Column, trained=trained)
