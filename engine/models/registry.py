"""Networks by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from torch import nn

from engine.core.errors import OptionError
from engine.models.base import GeneratorModule
from engine.models.dcgan import DCGANDiscriminator, DCGANGenerator
from engine.models.mlp_gan import MLPDiscriminator, MLPGenerator
from engine.models.vae import VAE

_Module = TypeVar("_Module", bound=nn.Module)

_GENERATORS: Mapping[str, type[GeneratorModule]] = {
    "dcgan": DCGANGenerator,
    "vae": VAE,
    "gan-mlp": MLPGenerator,
}
_DISCRIMINATORS: Mapping[str, type[nn.Module]] = {
    "dcgan": DCGANDiscriminator,
    "gan-mlp": MLPDiscriminator,
}


def names() -> tuple[str, ...]:
    """Names that `create` knows."""
    return tuple(_GENERATORS)


def create(name: str, **arguments: Any) -> GeneratorModule:
    """A freshly initialised generator. Raises OptionError for an unknown name or argument."""
    return _build(_GENERATORS, "model", name, arguments)


def create_discriminator(name: str, **arguments: Any) -> nn.Module:
    """A freshly initialised discriminator. Raises OptionError as `create` does."""
    return _build(_DISCRIMINATORS, "discriminator", name, arguments)


def _build(
    table: Mapping[str, type[_Module]], kind: str, name: str, arguments: Mapping[str, Any]
) -> _Module:
    if name not in table:
        raise OptionError(f"unknown {kind} {name!r}; known are {', '.join(table)}")
    try:
        return table[name](**arguments)
    except TypeError as error:
        raise OptionError(
            f"{kind} {name!r} cannot be made from {dict(arguments)}: {error}"
        ) from error
