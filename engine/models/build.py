"""Building a network from what a file says about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from engine.core.errors import OptionError
from engine.core.options import LoadOptions
from engine.models.base import GeneratorModule
from engine.models.chain import NAME as CHAIN
from engine.models.chain import ChainGenerator
from engine.models.registry import create


def build(arch: str, arguments: Mapping[str, Any]) -> GeneratorModule | ChainGenerator:
    """A registered network, or the chain of a recognised one. Raises OptionError."""
    if arch == CHAIN:
        return ChainGenerator(**arguments)
    return create(arch, **arguments)


def refuse_options(
    options: LoadOptions, path: Path, why: str, allowed: tuple[str, ...] = ()
) -> None:
    """Raise OptionError for options about what the file says itself."""
    defaults = LoadOptions()
    for name in (field.name for field in fields(LoadOptions)):
        value = getattr(options, name)
        if name not in allowed and value != getattr(defaults, name):
            raise OptionError(f"{name}={value!r} does not apply to {path}: {why}; leave it out")
