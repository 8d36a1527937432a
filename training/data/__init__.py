"""Data sets as uint8 arrays: `load("digits", size=32)`."""

from training.data.dataset import ImageData
from training.data.registry import load, names

__all__ = ["ImageData", "load", "names"]
