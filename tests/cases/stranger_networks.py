"""Small networks with the ways in which people write forward; used by path: FILE:Class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

FILE = Path(__file__)


class _Head(nn.Module):
    """Features to images [B, 1, 4, 4]."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.out = nn.Linear(inputs, 16)

    def images(self, features: Tensor) -> Tensor:
        return torch.tanh(self.out(features)).view(-1, 1, 4, 4)


class Indices(_Head):
    """The usual one: z, and labels for an embedding."""

    latent_dim = 6

    def __init__(self) -> None:
        super().__init__(9)
        self.embed = nn.Embedding(5, 3)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.images(torch.cat([z, self.embed(labels)], 1))


class LabelsFirst(Indices):
    def forward(self, y: Tensor, z: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(z, y)


class ByKeyword(Indices):
    def forward(  # type: ignore[override]
        self, z: Tensor, *, class_labels: Tensor | None = None, return_z: bool = False
    ) -> Any:
        assert class_labels is not None
        images = super().forward(z, class_labels)
        return (images, z) if return_z else images


class AfterOptions(Indices):
    def forward(  # type: ignore[override]
        self, z: Tensor, truncation: float = 1.0, label: Tensor | None = None
    ) -> Tensor:
        assert label is not None
        return super().forward(z * truncation, label)


class OneHot(_Head):
    z_dim = 6

    def __init__(self) -> None:
        super().__init__(11)

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        return self.images(torch.cat([z, c], 1))


class OneHotFirst(OneHot):
    """Both orders run; only the names tell which is right."""

    def forward(self, c: Tensor, z: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(z, c)


class TwoBranches(nn.Module):
    """Transposed convolutions of z and of the one-hot class, joined."""

    nz = 6

    def __init__(self) -> None:
        super().__init__()
        self.noise = nn.ConvTranspose2d(6, 3, 2)
        self.label = nn.ConvTranspose2d(5, 3, 2)
        self.norm = nn.BatchNorm2d(6)
        self.out = nn.ConvTranspose2d(6, 1, 4, 2, 1)

    def forward(self, input: Tensor, label: Tensor) -> Tensor:
        joined = torch.cat([self.noise(input), self.label(label)], 1)
        return torch.tanh(self.out(self.norm(joined)))


class InfoGan(_Head):
    """Noise, a one-hot class and a code."""

    def __init__(self) -> None:
        super().__init__(13)

    def forward(self, noise: Tensor, labels: Tensor, code: Tensor) -> Tensor:
        return self.images(torch.cat((noise, labels, code), -1))


class ConditionalVae(nn.Module):
    """One-hot classes for both halves."""

    latent_size = 6

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.logvar = nn.Linear(21, 6), nn.Linear(21, 6)
        self.out = nn.Linear(11, 16)

    def encode(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        joined = torch.cat([x, c], 1)
        return self.mean(joined), self.logvar(joined)

    def decode(self, z: Tensor, c: Tensor) -> Tensor:
        return torch.sigmoid(self.out(torch.cat([z, c], 1)))


class WholeVae(nn.Module):
    """Only `decoder`, one of its parts, runs on a latent."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 6))
        self.decoder = nn.Sequential(nn.Linear(6, 16), nn.Unflatten(1, (1, 4, 4)))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.encoder(x)
        return self.decoder(mean), mean


class Squeezing(nn.Module):
    """Voxels without the axis of channels; of one sample without its batch too."""

    z_dim = 6

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.ConvTranspose3d(6, 1, 3)

    def forward(self, z: Tensor) -> Tensor:
        return self.out(z.view(-1, 6, 1, 1, 1)).squeeze()


class Styled(nn.Module):
    """A mapping network and options; gives (images, None)."""

    code_dim = 6

    def __init__(self) -> None:
        super().__init__()
        self.mapping = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.2))
        self.constant = nn.Parameter(torch.ones(1, 8, 4, 4))
        self.to_rgb = nn.Conv2d(8, 3, 1)

    def forward(self, z: Tensor, psi: float = 1.0, latents: bool = False) -> Any:
        w = self.mapping(z * psi)
        images = self.to_rgb(self.constant * w[:, :, None, None])
        return (images, w) if latents else (images, None)


class Modulated(nn.Module):
    """StyleGAN 2 as rosinality writes it: styles in a list, kernels for each sample as groups."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, 4, 3, 3))
        self.up = nn.Parameter(torch.randn(1, 5, 4, 3, 3))
        self.plain = nn.Parameter(torch.randn(1, 3, 5, 3, 3))
        self.styles = nn.ModuleList([nn.Linear(6, 4), nn.Linear(6, 5)])

    def kernels(self, index: int, weight: Tensor, z: Tensor) -> Tensor:
        """[B, O, C, k, k], demodulated."""
        made = weight * self.styles[index](z)[:, None, :, None, None]
        return made * torch.rsqrt(made.pow(2).sum([2, 3, 4], keepdim=True) + 1e-8)

    def forward(self, styles: list[Tensor], noise: Tensor | None = None) -> Any:
        assert isinstance(styles, list)
        z = styles[0]
        batch = z.shape[0]
        x = self.constant.repeat(batch, 1, 1, 1).view(1, batch * 4, 3, 3)
        kernels = self.kernels(0, self.up, z).transpose(1, 2).reshape(batch * 4, 5, 3, 3)
        x = functional.conv_transpose2d(x, kernels, padding=0, stride=2, groups=batch)
        x = functional.leaky_relu(x, 0.2)
        kernels = self.kernels(1, self.plain, z).view(batch * 3, 5, 3, 3)
        x = functional.conv2d(x, kernels, padding=1, groups=batch)
        return x.view(batch, 3, 7, 7), None


class Upscaler(nn.Module):
    """Super-resolution by two with PixelShuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.PReLU(8), nn.Conv2d(8, 12, 3, padding=1)
        )
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.shuffle(self.layers(x))


class StarGan(nn.Module):
    """An image and attributes; its instance norm tracks statistics, as StarGAN's do."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(5, 4, 3, padding=1, bias=False)
        self.norm = nn.InstanceNorm2d(4, affine=True, track_running_stats=True)
        self.last = nn.Conv2d(4, 3, 3, padding=1)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        maps = c[:, :, None, None].repeat(1, 1, x.size(2), x.size(3))
        return torch.tanh(
            self.last(functional.relu(self.norm(self.first(torch.cat([x, maps], 1)))))
        )


class LabelMaps(nn.Module):
    """A noise image and a one-hot class at every pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(6, 1, 3, padding=1), nn.Tanh())

    def forward(self, z: Tensor, label: Tensor) -> Tensor:
        return self.layers(torch.cat([z, label], 1))


class CharRnn(nn.Module):
    """One step of a text sampler: token and state -> scores and state, `batch` the second axis."""

    def __init__(self, kind: str = "lstm") -> None:
        super().__init__()
        self.encoder = nn.Embedding(7, 5)
        self.rnn = (nn.LSTM if kind == "lstm" else nn.GRU)(5, 4, 2)
        self.decoder = nn.Linear(4, 7)

    def forward(self, input: Tensor, hidden: Any) -> tuple[Tensor, Any]:
        made, hidden = self.rnn(self.encoder(input)[None], hidden)
        return self.decoder(made[0]), hidden


class Sentences(nn.Module):
    """Tokens [T, B] unrolled from a latent: whole numbers, and the batch is their second axis."""

    latent_size = 6

    def __init__(self) -> None:
        super().__init__()
        self.start, self.cell, self.scores = nn.Linear(6, 4), nn.GRUCell(7, 4), nn.Linear(4, 7)

    def decode(self, z: Tensor) -> Tensor:
        state, tokens = self.start(z), []
        x = functional.pad(z, (0, 1))
        for _ in range(3):
            state = self.cell(x, state)
            x = torch.softmax(self.scores(state), 1)
            tokens.append(x.argmax(1))
        return torch.stack(tokens)


def saved(name: str, folder: Path, **arguments: Any) -> tuple[nn.Module, Path]:
    """A network of this file in eval mode, and its weights on disk."""
    torch.manual_seed(3)
    network: nn.Module = globals()[name](**arguments).eval()
    for part in network.modules():
        # Fresh statistics (mean 0, variance 1) would hide a norm that was left out.
        if isinstance(part, (nn.BatchNorm2d, nn.InstanceNorm2d)) and part.running_mean is not None:
            nn.init.uniform_(part.running_mean, -0.2, 0.2)
            nn.init.uniform_(part.running_var, 0.5, 2.0)
    path = folder / f"{name}.pth"
    torch.save({"state_dict": network.state_dict()}, path)
    return network, path
