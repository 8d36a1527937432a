"""Building a network from what a file says about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.models.base import GeneratorModule
from engine.models.chain import NAME as CHAIN
from engine.models.chain import ChainGenerator
from engine.models.registry import create


def build(arch: str, arguments: Mapping[str, Any]) -> GeneratorModule | ChainGenerator:
    """A registered network, or the chain of a recognised one. Raises OptionError."""
    if arch == CHAIN:
        return ChainGenerator(**arguments)
    return create(arch, **arguments)
