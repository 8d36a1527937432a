"""A generator built from layer records: what a recognised checkpoint is run with.

A record is a JSON object with the operation and its sizes, as
`engine.core.recognition.layers` lists them:

    {"op": "conv_transpose", "inputs": 100, "outputs": 512, "kernel": 4, "bias": false, ...}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.errors import OptionError
from engine.models.base import GeneratorModule, with_one_hot

NAME = "chain"

Record = Mapping[str, Any]

_CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_CONV_TRANSPOSE = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_BATCH_NORM = {0: nn.BatchNorm1d, 1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class Reshape(nn.Module):
    """[B, ...] -> [B, *shape]."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(shape)

    def forward(self, x: Tensor) -> Tensor:
        """Reshape each sample."""
        return x.reshape(-1, *self.shape)


class ChainDecoder(nn.Module):
    """z [B, latent] (, labels [B] int64) -> samples [B, ...].

    Labels become a one-hot (embedding 0) or a learned vector of `embedding` features, and join z
    behind it, before it, or by multiplication (`combine` last, first, multiply).
    """

    def __init__(
        self, layers: Sequence[Record], classes: int, embedding: int, combine: str
    ) -> None:
        super().__init__()
        self.classes = classes
        self.combine = combine
        self.embedding = nn.Embedding(classes, embedding) if embedding else None
        self.layers = sequence(layers)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode latents."""
        samples: Tensor = self.layers(self._joined(z, labels))
        return samples

    def _joined(self, z: Tensor, labels: Tensor | None) -> Tensor:
        if self.classes == 0:
            return z
        if labels is None:
            raise OptionError(f"this model has {self.classes} classes and needs labels")
        if self.embedding is not None:
            condition: Tensor = self.embedding(labels)
        else:
            condition = with_one_hot(z[:, :0], labels, self.classes)
        if self.combine == "multiply":
            return z * condition
        return torch.cat([condition, z] if self.combine == "first" else [z, condition], dim=1)


class ChainEncoder(nn.Module):
    """samples [B, ...] -> mean, logvar, both [B, latent]."""

    def __init__(self, layers: Sequence[Record], mean: Record, logvar: Record) -> None:
        super().__init__()
        self.layers = sequence(layers)
        self.mean = layer(mean)
        self.logvar = layer(logvar)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Encode samples."""
        features = self.layers(images)
        return self.mean(features).flatten(1), self.logvar(features).flatten(1)


class ChainGenerator(GeneratorModule):
    """Decoder, and where it was recognised encoder, from layer records."""

    def __init__(
        self,
        latent: int,
        decoder: Sequence[Record],
        output_range: Sequence[float],
        classes: int = 0,
        embedding: int = 0,
        combine: str = "last",
        encoder: Mapping[str, Any] | None = None,
        family: str = NAME,
    ) -> None:
        super().__init__()
        self.family = family
        self.latent_size = latent
        self.classes = classes
        low, high = output_range
        self.output_range = (low, high)
        self.decoder = ChainDecoder(decoder, classes, embedding, combine)
        self.encoder = None if encoder is None else ChainEncoder(**encoder)

    def entry_points(self) -> dict[str, nn.Module]:
        """The decoder, and the encoder of an autoencoder."""
        parts: dict[str, nn.Module] = {"decoder": self.decoder}
        if self.encoder is not None:
            parts["encoder"] = self.encoder
        return parts

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Decode latents."""
        samples: Tensor = self.decoder(z, labels)
        return samples


def sequence(records: Sequence[Record]) -> nn.Sequential:
    """The layers of some records, in their order."""
    return nn.Sequential(*(layer(record) for record in records))


def layer(record: Record) -> nn.Module:
    """One layer. Raises OptionError for an unknown operation or wrong sizes."""
    sizes = dict(record)
    operation = sizes.pop("op", None)
    if operation not in _LAYERS:
        raise OptionError(f"unknown layer {operation!r}; known are {', '.join(_LAYERS)}")
    try:
        return _LAYERS[operation](**sizes)
    except TypeError as error:
        raise OptionError(f"layer {dict(record)} cannot be made: {error}") from error


def _convolution(table: Mapping[int, Callable[..., nn.Module]]) -> Callable[..., nn.Module]:
    def make(
        *, inputs: int, outputs: int, kernel: int, dims: int = 2, **geometry: Any
    ) -> nn.Module:
        return table[dims](inputs, outputs, kernel, **geometry)

    return make


def _linear(*, inputs: int, outputs: int, bias: bool = True) -> nn.Module:
    return nn.Linear(inputs, outputs, bias=bias)


def _batch_norm(
    *, features: int, dims: int = 2, eps: float = 1e-5, affine: bool = True
) -> nn.Module:
    return _BATCH_NORM[dims](features, eps=eps, affine=affine)


def _upsample(*, scale: int, mode: str = "nearest") -> nn.Module:
    return nn.Upsample(scale_factor=scale, mode=mode)


def _prelu(*, features: int) -> nn.Module:
    return nn.PReLU(features)


def _leaky_relu(*, slope: float = 0.2) -> nn.Module:
    return nn.LeakyReLU(slope)


def _reshape(*, shape: Sequence[int]) -> nn.Module:
    return Reshape(shape)


_LAYERS: Mapping[str, Callable[..., nn.Module]] = {
    "linear": _linear,
    "conv": _convolution(_CONV),
    "conv_transpose": _convolution(_CONV_TRANSPOSE),
    "batch_norm": _batch_norm,
    "reshape": _reshape,
    "flatten": nn.Flatten,
    "upsample": _upsample,
    "relu": nn.ReLU,
    "leaky_relu": _leaky_relu,
    "prelu": _prelu,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}
