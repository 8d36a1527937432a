"""The networks, in pure PyTorch, by name: `create("dcgan", size=32, channels=1)`."""

from engine.models.base import GeneratorModule
from engine.models.registry import create, create_discriminator, names

__all__ = ["GeneratorModule", "create", "create_discriminator", "names"]
