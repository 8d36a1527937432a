"""Small data and settings with which a run takes a moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.spec import Provenance
from training.data import ImageData
from training.loop import Outputs
from training.settings import Settings
from training.state import Identity


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def data() -> ImageData:
    """48 noisy grey images of two classes: bright left, bright right."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (48, 32, 32, 1)).astype(np.uint8)
    labels = (np.arange(48) % 2).astype(np.int64)
    images[labels == 0, :, :16] += 150
    images[labels == 1, :, 16:] += 150
    return ImageData("sides", images, labels, ("left", "right"), "made up", "CC0")


@pytest.fixture
def settings() -> Callable[..., Settings]:
    """The smallest settings of a recipe, changed as asked."""

    def make(recipe: str = "dcgan", **changes: object) -> Settings:
        base = Settings(
            recipe=recipe,
            size=32,
            channels=1,
            latent=4,
            width=None if recipe == "gan-mlp" else 2,
            classes=0,
            steps=6,
            batch_size=8,
        )
        return dataclasses.replace(base, **changes)

    return make


@pytest.fixture
def identity() -> Callable[[int], Identity]:
    """What a checkpoint of the two-class data says about itself."""

    def make(classes: int = 0) -> Identity:
        names = ("left", "right")[:classes]
        return Identity("small", names, Provenance(data="made up", licence="CC0"))

    return make


@pytest.fixture
def outputs(tmp_path: Path) -> Callable[..., Outputs]:
    """Outputs in a folder of their own."""

    def make(
        folder: str = "run", sample_every: int = 2, save_every: int = 2, save_seconds: float = 1e9
    ) -> Outputs:
        root = tmp_path / folder
        return Outputs(
            checkpoint=root / "small.pt",
            metrics=root / "small.metrics.jsonl",
            samples=root / "samples",
            sample_every=sample_every,
            save_every=save_every,
            save_seconds=save_seconds,
            progress=False,
        )

    return make
