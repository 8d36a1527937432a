"""Sample sheets and sample diversity, from latents that stay the same for the whole run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engine.core.files import atomic_path
from engine.core.spec import Noise
from engine.latents import draw
from engine.models import GeneratorModule

SHEET = 64
_GAP = 2


class FixedSamples:
    """Latents 0 .. count of the seed, as the engine draws them, with the classes in turn."""

    def __init__(self, model: GeneratorModule, seed: int, count: int = SHEET) -> None:
        self._z = torch.from_numpy(draw(Noise((model.latent_size,)), seed, 0, count))
        self._labels = torch.arange(count) % model.classes if model.classes else None
        self._range = model.output_range

    @torch.no_grad()
    def draw(self, model: GeneratorModule) -> NDArray[np.uint8]:
        """The model's images of these latents, uint8 [N, H, W, C]. Wants a model in eval mode."""
        return to_uint8(model(self._z, self._labels), self._range)


def to_uint8(images: Tensor, value_range: tuple[float, float]) -> NDArray[np.uint8]:
    """[N, C, H, W] in the value range to uint8 [N, H, W, C], rounded and clipped."""
    low, high = value_range
    scaled = (images.float() - low) * (255.0 / (high - low))
    return scaled.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def diversity(images: NDArray[np.uint8]) -> float:
    """Root mean square distance between two images of the set, per pixel in [0, 1].

    Zero means that all are the same: mode collapse. Over all ordered pairs of different images
    the mean squared distance is twice the (unbiased) variance.
    """
    if len(images) < 2:
        return 0.0
    flat = images.reshape(len(images), -1).astype(np.float64) / 255.0
    return float(np.sqrt(2.0 * flat.var(axis=0, ddof=1).mean()))


def save_sheet(path: Path, images: NDArray[np.uint8]) -> None:
    """Write the images [N, H, W, C] as one PNG, in rows of about sqrt(N). Raises OutputError."""
    count, height, width, channels = images.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    cell_y, cell_x = height + _GAP, width + _GAP
    sheet = np.full((rows * cell_y + _GAP, columns * cell_x + _GAP, channels), 128, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * cell_y + _GAP, index % columns * cell_x + _GAP
        sheet[top : top + height, left : left + width] = image
    with atomic_path(path) as temporary:
        Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(temporary, "PNG")
