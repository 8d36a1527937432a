"""Differentiable augmentation of what the discriminator sees, for small data sets.

Zhao, Liu, Lin, Zhu, Han: Differentiable augmentation for data-efficient GAN training (2020). Real
and generated images go through the same random transforms, so the generator learns the images, not
the transforms. Images are [B, C, H, W] in [-1, 1]; randomness is torch's global generator.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.core.errors import OptionError


def translation(images: Tensor, ratio: float = 0.125) -> Tensor:
    """Shift each image by up to `ratio` of its size, zeros (grey) come in."""
    count, _, height, width = images.shape
    reach_y, reach_x = int(height * ratio + 0.5), int(width * ratio + 0.5)
    dy = torch.randint(0, 2 * reach_y + 1, (count, 1, 1))
    dx = torch.randint(0, 2 * reach_x + 1, (count, 1, 1))
    padded = F.pad(images, (reach_x, reach_x, reach_y, reach_y)).permute(0, 2, 3, 1)
    rows = torch.arange(height).view(1, -1, 1) + dy
    columns = torch.arange(width).view(1, 1, -1) + dx
    moved = padded[torch.arange(count).view(-1, 1, 1), rows, columns]
    return moved.permute(0, 3, 1, 2)


def flip(images: Tensor) -> Tensor:
    """Mirror each image left to right with probability one half."""
    mirrored = torch.rand(len(images), 1, 1, 1) < 0.5
    return torch.where(mirrored, images.flip(3), images)


def cutout(images: Tensor, ratio: float = 0.5) -> Tensor:
    """Blank a square of `ratio` of the size at a random place of each image."""
    count, _, height, width = images.shape
    tall, wide = int(height * ratio + 0.5), int(width * ratio + 0.5)
    top = torch.randint(0, height + 1 - tall % 2, (count, 1)) - tall // 2
    left = torch.randint(0, width + 1 - wide % 2, (count, 1)) - wide // 2
    rows, columns = torch.arange(height), torch.arange(width)
    in_rows = (rows >= top) & (rows < top + tall)
    in_columns = (columns >= left) & (columns < left + wide)
    hole = in_rows[:, None, :, None] & in_columns[:, None, None, :]
    return images.masked_fill(hole, 0.0)


def colour(images: Tensor) -> Tensor:
    """Random brightness, saturation and contrast of each image."""
    count = len(images)
    images = images + (torch.rand(count, 1, 1, 1) - 0.5)
    grey = images.mean(1, keepdim=True)
    images = (images - grey) * (torch.rand(count, 1, 1, 1) * 2.0) + grey
    mean = images.mean((1, 2, 3), keepdim=True)
    return (images - mean) * (torch.rand(count, 1, 1, 1) + 0.5) + mean


_TRANSFORMS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "flip": flip,
    "colour": colour,
    "translation": translation,
    "cutout": cutout,
}
NAMES: tuple[str, ...] = tuple(_TRANSFORMS)


class Augment:
    """The named transforms, in a fixed order; none of them leaves images as they are."""

    def __init__(self, names: Sequence[str]) -> None:
        unknown = [name for name in names if name not in _TRANSFORMS]
        if unknown:
            raise OptionError(f"unknown augmentation {unknown[0]!r}; known are {', '.join(NAMES)}")
        self._transforms = [_TRANSFORMS[name] for name in NAMES if name in names]

    def __call__(self, images: Tensor) -> Tensor:
        """Images [B, C, H, W] to augmented ones."""
        for transform in self._transforms:
            images = transform(images)
        return images
