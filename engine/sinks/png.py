"""One image to PNG bytes with text inside: what a sheet is."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.core.errors import OptionError

# As in `engine.sinks.encoders.pillow`.
_COMPRESS_LEVEL = 3
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
    notes = PngInfo()
    for key, value in (text or {}).items():
        notes.add_itxt(key, value)
    buffer = io.BytesIO()
    picture = Image.fromarray(image[:, :, 0] if image.shape[2] == 1 else image)
    picture.save(buffer, "PNG", compress_level=_COMPRESS_LEVEL, pnginfo=notes)
    return buffer.getvalue()
