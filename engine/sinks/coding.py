"""How an image becomes the bytes of a file: format, quality, and what each format can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from engine.core.errors import OptionError
from engine.core.hints import nearest

ImageFormat = Literal["png", "jpg", "webp"]
IMAGE_FORMATS: tuple[ImageFormat, ...] = get_args(ImageFormat)

DEFAULT_QUALITY = 90
# JPEG and lossy WebP average colour over 2x2 pixels, as cameras and the web do.
SUBSAMPLING = "4:2:0"

_CHANNELS: Mapping[ImageFormat, tuple[int, ...]] = {
    "png": (1, 2, 3, 4),
    "jpg": (1, 3),
    "webp": (1, 3, 4),
}
# The side that the format's header can hold, in pixels.
_LONGEST_PX: Mapping[ImageFormat, int] = {"png": 2**31 - 1, "jpg": 65535, "webp": 16383}


@dataclass(frozen=True, slots=True)
class Coding:
    """Format and settings of image files; quality 1 to 100 for the lossy ones, else None."""

    format: ImageFormat
    quality: int | None = None

    @property
    def lossless(self) -> bool:
        """Whether the pixels come back as they were."""
        return self.quality is None

    def settings(self) -> dict[str, Any]:
        """What a manifest records beside the format."""
        if self.quality is None:
            return {"lossless": True}
        return {"quality": self.quality, "subsampling": SUBSAMPLING}


def plan_coding(format: str, quality: int | None = None, lossless: bool = False) -> Coding:
    """Settings for a format: quality 90 where it is lossy and none is given.

    `lossless` is for WebP. Raises OptionError for values that the format does not have.
    """
    if format not in IMAGE_FORMATS:
        raise OptionError(f"image format {format!r} is unknown; {nearest(format, IMAGE_FORMATS)}")
    chosen = format
    if lossless and chosen == "jpg":
        raise OptionError("JPEG is never lossless; choose png or webp for lossless images")
    if chosen == "png" or lossless:
        if quality is not None:
            raise OptionError(
                f"quality {quality} is for lossy images, and {chosen} is written without loss; "
                "leave it out, or choose jpg or lossy webp"
            )
        return Coding(chosen)
    if quality is not None and not 1 <= quality <= 100:
        raise OptionError(f"quality {quality} is out of range; give 1 (small) to 100 (best)")
    return Coding(chosen, DEFAULT_QUALITY if quality is None else quality)


def check_images(shape: tuple[int, ...], dtype: npt.DTypeLike, coding: Coding) -> None:
    """Raise OptionError unless samples of this shape and dtype can be files of this format."""
    name = coding.format.upper()
    if np.dtype(dtype) != np.uint8:
        raise OptionError(f"{name} holds uint8 images, not {np.dtype(dtype)}; write .npy instead")
    if len(shape) != 3:
        raise OptionError(f"samples of shape {list(shape)} are no images; write .npy instead")
    height, width, channels = shape
    if channels not in _CHANNELS[coding.format]:
        possible = " or ".join(str(count) for count in _CHANNELS[coding.format])
        better = "png or .npy" if channels in _CHANNELS["png"] else ".npy"
        raise OptionError(
            f"{name} holds {possible} channels and the images have {channels}; write {better}"
        )
    if max(height, width) > _LONGEST_PX[coding.format]:
        raise OptionError(
            f"{name} holds sides of {_LONGEST_PX[coding.format]} pixels and the images are "
            f"{width}x{height}; write .npy"
        )
