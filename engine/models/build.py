"""Building a network from what a file says about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.core.options import refuse_options
from engine.models.base import GeneratorModule
from engine.models.chain import NAME as CHAIN
from engine.models.chain import ChainGenerator
from engine.models.registry import create

__all__ = ["build", "refuse_options"]


def build(arch: str, arguments: Mapping[str, Any]) -> GeneratorModule | ChainGenerator:
    """A registered network, or the chain of a recognised one. Raises OptionError."""
    if arch == CHAIN:
        return ChainGenerator(**arguments)
    return create(arch, **arguments)
