"""Pillow: always there, writes everything."""

from __future__ import annotations

import io
from typing import Any, ClassVar

from engine.sinks.coding import SUBSAMPLING, Coding, ImageFormat
from engine.sinks.encoders.base import Encode, Image, without_single_channel

# zlib's level: two thirds of the time of Pillow's 6, for 3 to 8 % more bytes (measured on 32x32
# digits and 64x64 emoji).
_PNG_LEVEL = 3
# libwebp's effort 0 to 6: lossy, half the time of Pillow's 4 for 2 % more bytes; lossless, a
# fortieth of the time for 16 % more (64x64 emoji).
_WEBP_METHOD = 2
_WEBP_LOSSLESS = {"lossless": True, "method": 0, "quality": 0}
_CODECS: dict[ImageFormat, str] = {"png": "zlib", "jpg": "libjpeg_turbo", "webp": "webp"}


class Pillow:
    """The `pillow` package."""

    name: ClassVar[str] = "pillow"
    formats: ClassVar[tuple[ImageFormat, ...]] = ("png", "jpg", "webp")

    @classmethod
    def unavailable(cls) -> str | None:
        """Never: it is a dependency."""
        return None

    @classmethod
    def version(cls, format: ImageFormat) -> str:
        """Pillow's version and the codec's."""
        import PIL
        from PIL import features

        codec = _CODECS[format]
        return f"{PIL.__version__} ({codec} {features.version(codec) or 'unknown'})"

    @classmethod
    def encoder(cls, coding: Coding) -> Encode:
        """Through a buffer in memory."""
        from PIL import Image as Pictures

        kind, settings = _settings(coding)

        def encode(image: Image) -> bytes:
            buffer = io.BytesIO()
            Pictures.fromarray(without_single_channel(image)).save(buffer, kind, **settings)
            return buffer.getvalue()

        return encode


def _settings(coding: Coding) -> tuple[str, dict[str, Any]]:
    if coding.format == "png":
        return "PNG", {"compress_level": _PNG_LEVEL}
    if coding.format == "jpg":
        return "JPEG", {"quality": coding.quality, "subsampling": SUBSAMPLING}
    if coding.lossless:
        return "WEBP", _WEBP_LOSSLESS
    return "WEBP", {"quality": coding.quality, "method": _WEBP_METHOD}
