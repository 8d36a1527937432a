"""Image files to arrays: broken ones are skipped and reported, transparency becomes white."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.core.errors import TrainingError

_LISTED = 5


@dataclass(frozen=True)
class ReadImages:
    """Images uint8 [N, S, S, C], which of the paths they are (indices [N]), and the report."""

    images: NDArray[np.uint8]
    kept: NDArray[np.int64]
    report: tuple[str, ...]


def read_images(paths: Sequence[Path], channels: int, size: int | None = None) -> ReadImages:
    """Read images as squares of one size: centre-cropped, each resized once, from its original.

    Images that differ become `size` pixels wide, by default the median of their sides. Images that
    agree keep their own size, because `prepare` knows better whether to pad or to resize them.
    Raises TrainingError when no file can be read.
    """
    sides = [side for path in paths if (side := _side(path)) is not None]
    if len(set(sides)) == 1 or size is None:
        size = median_low(sides) if sides else None
    images: list[NDArray[np.uint8]] = []
    kept: list[int] = []
    broken: list[str] = []
    resized: list[int] = []
    for index, path in enumerate(paths):
        try:
            with Image.open(path) as file:
                image = flatten(file, channels)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            broken.append(f"{path.name} ({error})")
            continue
        square = _centre_square(image)
        side = square.width
        size = size or side
        if square.width != size:
            square = square.resize((size, size), Image.Resampling.LANCZOS)
            resized.append(side)
        images.append(np.asarray(square, dtype=np.uint8).reshape(size, size, channels))
        kept.append(index)
    if not images:
        raise TrainingError(f"none of {len(paths)} image files can be read: {_some(broken)}")
    report = [f"{len(images)} images read"]
    if broken:
        report.append(f"{len(broken)} broken files skipped: {_some(broken)}")
    if resized:
        smallest, largest = min(resized), max(resized)
        sides_text = f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
        report.append(
            f"{len(resized)} images resized to {size}x{size}, from sides of {sides_text} pixels"
        )
    return ReadImages(np.stack(images), np.array(kept, dtype=np.int64), tuple(report))


def flatten(image: Image.Image, channels: int) -> Image.Image:
    """An 8-bit grey (1) or RGB (3) image; whatever is transparent lies on white."""
    if image.mode in ("I", "I;16", "F"):
        values = np.asarray(image, dtype=np.float64)
        top = 65535.0 if values.max() > 255 else 255.0
        image = Image.fromarray(np.rint(values.clip(0, top) * (255.0 / top)).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if channels == 1 else "RGB")


def _side(path: Path) -> int | None:
    """The shorter side, from the header alone; None for a file that cannot be opened."""
    try:
        with Image.open(path) as file:
            return min(file.size)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        # `read_images` reports it when it tries to read the pixels.
        return None


def _centre_square(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
