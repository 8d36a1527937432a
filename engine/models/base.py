"""What every generator of ours offers to export, engine and training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from engine.core.errors import OptionError
from engine.core.spec import Condition, GeneratorSpec, Noise, Output, Provenance


class GeneratorModule(nn.Module):
    """A generator: `forward(z [B, latent]) -> images [B, C, H, W]`.

    With `classes` > 0 it is `forward(z, labels [B] int64)`. A subclass with an encoder overrides
    `entry_points`; an encoder is `forward(images[, labels]) -> (mean, logvar)`, both [B, latent].
    """

    family: str
    latent_size: int
    classes: int
    output_shape: tuple[int, int, int]
    output_range: tuple[float, float]

    def entry_points(self) -> dict[str, nn.Module]:
        """The graphs an artifact of this model holds, by name."""
        return {"decoder": self}

    def describe(
        self,
        name: str,
        class_names: Sequence[str] = (),
        provenance: Provenance | None = None,
    ) -> GeneratorSpec:
        """The spec of this network. Class names default to '0', '1', ..."""
        names = tuple(class_names) or tuple(str(index) for index in range(self.classes))
        if len(names) != self.classes:
            raise OptionError(f"{len(names)} class names for a model with {self.classes} classes")
        return GeneratorSpec(
            name=name,
            family=self.family,
            latent=Noise(shape=(self.latent_size,)),
            output=Output.image(self.output_shape, self.output_range),
            condition=Condition(names=names) if names else None,
            entry_points=tuple(self.entry_points()),
            provenance=provenance or Provenance(),
        )


def with_one_hot(features: Tensor, labels: Tensor | None, classes: int) -> Tensor:
    """Append a one-hot class to features [B, F]: [B, F + classes]; unchanged for 0 classes.

    Written as a comparison, so that every runtime has the operators.
    """
    if classes == 0:
        return features
    if labels is None:
        raise OptionError(f"this model has {classes} classes and needs labels")
    index = torch.arange(classes, device=features.device)
    one_hot = (labels.reshape(-1, 1) == index).to(features.dtype)
    return torch.cat([features, one_hot], dim=1)


def check_sizes(**sizes: int) -> None:
    """Raise OptionError for a size below one (0 is allowed for `classes`)."""
    for name, value in sizes.items():
        lowest = 0 if name == "classes" else 1
        if not isinstance(value, int) or value < lowest:
            raise OptionError(f"{name}={value!r} must be an integer of at least {lowest}")
