"""The settings of a recognised network that no tensor holds: defaults, overrides, alternatives."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from engine.core.recognition.gaps import Step
from engine.core.recognition.layers import Style
from engine.core.recognition.overrides import check_overrides
from engine.core.recognition.parts import Array, Part
from engine.core.recognition.wiring import Node

Patch = Mapping[str, Any]

# What the bounded activations span.
RANGES = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
# PyTorch-GAN (github.com/eriklindernoren/PyTorch-GAN) passes 0.8 as eps, and many copied it.
_PYTORCH_GAN_EPS = 0.8


@dataclass(frozen=True, slots=True)
class Settings:
    """What a user may override with --arch-args, for a network that was recognised.

    geometry: [stride, padding, output_padding] of each convolution. transposed: whether each
    convolution is transposed, which only layers of equal inputs and outputs leave open.
    projection_activation: whether an activation follows the linear layer in front of the
    convolutions (None: by the indices).
    """

    hidden_activation: str = "relu"
    output_activation: str = "tanh"
    batch_norm_eps: float | Sequence[float] = 1e-5
    slope: float = 0.2
    combine: str = "last"
    latent_distribution: str = "normal"
    projection_activation: bool | None = None
    transposed: Sequence[bool] | None = None
    upsample_mode: str = "nearest"
    geometry: Sequence[Sequence[int]] | None = None
    output_shape: tuple[int, ...] | None = None

    def replaced(self, overrides: Mapping[str, Any]) -> Settings:
        """A copy with the user's values. Raises OptionError for unknown names and values."""
        check_overrides(overrides, [field.name for field in fields(self)])
        values = dict(overrides)
        if values.get("output_shape") is not None:
            values["output_shape"] = tuple(values["output_shape"])
        return replace(self, **values)

    def style(self) -> Style:
        """The part that the layers need."""
        return Style(
            self.hidden_activation,
            self.output_activation,
            self.batch_norm_eps,
            self.slope,
            self.upsample_mode,
        )

    def output_range(self) -> tuple[float, float]:
        """What the output activation spans; [-1, 1] for one without bounds."""
        return RANGES.get(self.output_activation, (-1.0, 1.0))

    def with_projection(self, steps: Sequence[Step]) -> list[Step]:
        """The steps with or without the activation behind the projection."""
        return [
            dataclasses.replace(step, activation=bool(self.projection_activation))
            if step.reshape
            else step
            for step in steps
        ]

    def alternatives(self, steps: Sequence[Step], *, conditional: bool) -> dict[str, list[Patch]]:
        """Other plausible values, by what they are about."""
        options: dict[str, list[Patch]] = {
            "latent_distribution": [{"latent_distribution": "uniform"}]
        }
        if conditional:
            options["combine"] = [{"combine": "last" if self.combine == "first" else "first"}]
        projected = [step for step in steps if step.reshape]
        if projected and not projected[0].certain:
            options["projection_activation"] = [
                {"projection_activation": not projected[0].activation}
            ]
        options["hidden_activation"] = [
            {"hidden_activation": name, "slope": slope}
            for name, slope in (("relu", self.slope), ("leaky_relu", 0.2))
            if name != self.hidden_activation
        ]
        upsampled = [step.layer for step in steps if step.upsample]
        if any(isinstance(layer, Node) and layer.dims == 2 for layer in upsampled):
            mode = "bilinear" if self.upsample_mode == "nearest" else "nearest"
            # Each hides the other.
            both = [{**patch, "upsample_mode": mode} for patch in options["hidden_activation"]]
            options["upsample_mode"] = [{"upsample_mode": mode}, *both]
        options["batch_norm_eps"] = [
            {"batch_norm_eps": eps}
            for eps in (1e-5, _PYTORCH_GAN_EPS)
            if eps != self.batch_norm_eps
        ]
        return options


def default_settings(
    family: str, steps: Sequence[Step], embeddings: Sequence[Part], tensors: Mapping[str, Array]
) -> Settings:
    """The usual settings of a family, or of a known implementation that its names give away."""
    settings = Settings()
    if family == "vae":
        settings = replace(settings, output_activation="sigmoid")
        if any(key.startswith("decoder_input.") for key in tensors):
            # PyTorch-VAE (github.com/AntixK/PyTorch-VAE): nn.LeakyReLU() and Tanh.
            settings = Settings(hidden_activation="leaky_relu", slope=0.01)
        return settings
    nodes = [step.layer for step in steps if isinstance(step.layer, Node)]
    transposed = any(node.transposed for node in nodes)
    if family == "gan-mlp" or not transposed:
        settings = replace(settings, hidden_activation="leaky_relu")
    if any(key.startswith("conv_blocks.") for key in tensors):
        # Its first norm keeps the default.
        settings = replace(settings, batch_norm_eps=(1e-5, _PYTORCH_GAN_EPS))
    elif family == "gan-mlp" and _is_pytorch_gan(steps):
        settings = replace(settings, batch_norm_eps=_PYTORCH_GAN_EPS)
    if any(part.name.rpartition(".")[2] == "label_emb" for part in embeddings):
        settings = replace(settings, combine="first")
    return settings


def _is_pytorch_gan(steps: Sequence[Step]) -> bool:
    """Linear layers to 128, 256, 512, 1024 in `model`, a norm on all but the first."""
    widths = [step.layer.outputs for step in steps if isinstance(step.layer, Node)]
    names = {step.layer.part.container for step in steps if isinstance(step.layer, Node)}
    norms = sum(not isinstance(step.layer, Node) for step in steps)
    return widths[:-1] == [128, 256, 512, 1024] and norms == 3 and names <= {"model", ""}
