"""One image to PNG bytes and back to a verdict (PNG specification, third edition, W3C 2025)."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.core.errors import OptionError

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def check_image_shape(shape: tuple[int, ...]) -> None:
    """Raise OptionError unless a sample of this shape [H, W, C] can be a PNG."""
    if len(shape) != 3 or shape[2] not in _MODES:
        raise OptionError(
            f"samples of shape {list(shape)} are no images of 1 to 4 channels; "
            "write them to a .npy or .npz file"
        )


def encode_png(image: npt.NDArray[Any], text: Mapping[str, str] | None = None) -> bytes:
    """PNG bytes of `image` uint8 [H, W, C], grey for C = 1; `text` goes into iTXt chunks.

    Raises OptionError for another type or number of channels.
    """
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    check_image_shape(image.shape)
    if image.dtype != np.uint8:
        raise OptionError(f"a PNG takes uint8 pixels, not {image.dtype}")
    pixels = image[:, :, 0] if image.shape[2] == 1 else image
    info = PngInfo()
    for key, value in (text or {}).items():
        info.add_itxt(key, value)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def is_whole_png(path: Path, shape: tuple[int, ...]) -> bool:
    """Whether `path` is an undamaged PNG (all checksums) of a sample of shape [H, W, C]."""
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as image:
            fits = image.size == (shape[1], shape[0]) and image.mode == _MODES[shape[2]]
            image.verify()
    except (OSError, SyntaxError, ValueError):
        return False
    return fits
