"""Samples of a checkpoint, as the engine would draw them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.core.errors import ArtifactError
from engine.latents import draw
from engine.models import create
from engine.models.checkpoint import Checkpoint, is_own
from engine.models.safe_load import read_values
from training.sheet import to_uint8

_BATCH = 250


def read(path: Path) -> Checkpoint:
    """A checkpoint of `python -m training`. Raises ArtifactError for any other file."""
    values = read_values(path)
    if not is_own(values):
        raise ArtifactError(f"{path}: evaluation takes the checkpoints of `python -m training`")
    return Checkpoint.from_values(values, path)


@torch.no_grad()
def sample(
    checkpoint: Checkpoint, count: int, seed: int, labels: NDArray[np.int64] | None
) -> NDArray[np.uint8]:
    """Images uint8 [count, H, W, C] of the averaged weights; labels [count] if it has classes."""
    model = create(checkpoint.arch, **checkpoint.arch_args).eval()
    model.load_state_dict(checkpoint.weights)
    parts = []
    for start in range(0, count, _BATCH):
        z = draw(checkpoint.spec.latent, seed, start, min(_BATCH, count - start))
        asked = None if labels is None else torch.from_numpy(labels[start : start + _BATCH])
        parts.append(to_uint8(model(torch.from_numpy(z), asked), model.output_range))
    return np.concatenate(parts)
