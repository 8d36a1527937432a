"""A verdict on the image files that a killed run left."""

from __future__ import annotations

from pathlib import Path

from engine.sinks.coding import ImageFormat

_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_NAMES: dict[ImageFormat, str] = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}


def is_whole_image(path: Path, shape: tuple[int, ...], format: ImageFormat) -> bool:
    """Whether `path` is an undamaged file of this format with a sample of shape [H, W, C].

    PNG by its checksums; JPEG and WebP have none and are decoded, which finds what is cut short.
    """
    from PIL import Image

    try:
        with Image.open(path, formats=[_NAMES[format]]) as image:
            fits = image.size == (shape[1], shape[0]) and _holds(image.mode, shape[2], format)
            if format == "png":
                image.verify()
            else:
                image.load()
    except (OSError, SyntaxError, ValueError):
        return False
    return fits


def _holds(mode: str, channels: int, format: ImageFormat) -> bool:
    # WebP knows no grey, and drops an alpha channel that is opaque everywhere.
    if format == "webp":
        return mode in ("RGB", "RGBA")
    return mode == _MODES[channels]
