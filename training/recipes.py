"""The recipes by name with the defaults that depend on the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.core.errors import OptionError
from training.data import ImageData
from training.settings import Settings


@dataclass(frozen=True)
class Recipe:
    """Defaults of one recipe. `powers_of_two`: the network wants such an image size."""

    latent: int
    width: int | None
    epochs: int
    powers_of_two: bool
    lr: float
    beta1: float


RECIPES: Mapping[str, Recipe] = {
    "dcgan": Recipe(latent=100, width=64, epochs=40, powers_of_two=True, lr=2e-4, beta1=0.5),
    "vae": Recipe(latent=16, width=32, epochs=40, powers_of_two=True, lr=1e-3, beta1=0.9),
    "gan-mlp": Recipe(latent=100, width=None, epochs=100, powers_of_two=False, lr=2e-4, beta1=0.5),
}
_LARGEST_DEFAULT = 64


def settings_for(
    name: str, data: ImageData, *, conditional: bool, epochs: int | None, **given: Any
) -> Settings:
    """Settings of the recipe for this data; options given as None take their defaults.

    Raises OptionError for an unknown recipe or options that do not go together.
    """
    if name not in RECIPES:
        raise OptionError(f"unknown recipe {name!r}; known are {', '.join(RECIPES)}")
    recipe = RECIPES[name]
    options = {key: value for key, value in given.items() if value is not None}
    if epochs is not None and "steps" in options:
        raise OptionError("--steps and --epochs exclude each other")
    if recipe.width is None and "width" in options:
        raise OptionError(f"--width does not apply to {name}")
    if name == "vae" and "loss" in options:
        raise OptionError("--loss is an option of the GANs; for vae there is --kl-weight")
    if name == "vae" and "label_smoothing" in options:
        raise OptionError("--label-smoothing is an option of the GANs; vae has no discriminator")
    if name != "vae" and "kl_weight" in options:
        raise OptionError(f"--kl-weight is an option of vae, not of {name}")
    if name == "vae" and "augment" in options:
        raise OptionError("--augment is an option of the GANs, it augments what D sees")
    if conditional and len(data.class_names) < 2:
        raise OptionError(f"--conditional: the data {data.name!r} has one class only")
    batch_size = options.setdefault("batch_size", 64)
    if epochs is not None and epochs < 1:
        raise OptionError(f"--epochs {epochs} must be at least 1")
    # Settings refuses a batch size below 1, with the value.
    passes = recipe.epochs if epochs is None else epochs
    options.setdefault("steps", max(1, passes * len(data) // max(1, batch_size)))
    options.setdefault("size", _size(recipe, data))
    defaults = {
        "channels": data.channels,
        "latent": recipe.latent,
        "width": recipe.width,
        "lr": recipe.lr,
        "beta1": recipe.beta1,
    }
    classes = len(data.class_names) if conditional else 0
    return Settings(recipe=name, classes=classes, **{**defaults, **options})


def _size(recipe: Recipe, data: ImageData) -> int:
    if not recipe.powers_of_two:
        return min(data.size, _LARGEST_DEFAULT)
    size = 32
    while size < data.size and size < _LARGEST_DEFAULT:
        size *= 2
    return size
