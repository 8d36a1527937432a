"""imagecodecs: libjpeg-turbo, libpng and libwebp called on arrays, without a picture object.

Of the fast encoders it is the one to depend on: several releases a year by its author, wheels for
the stable ABI (the last for Python 3.11 is of March 2026), all three formats, the GIL released.
simplejpeg is as fast and small, writes JPEG alone and needs a wheel for each Python; OpenCV takes
two thirds longer for a JPEG and twice the room; fpng has had no release since 2024.
"""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from typing import ClassVar

from engine.sinks.coding import Coding, ImageFormat
from engine.sinks.encoders.base import Encode, Image, without_single_channel

# Least effort, run lengths, each row as differences: two fifths of Pillow's time, and no larger.
_PNG = {"level": 1, "strategy": 3, "filter": 16}
# As in `encoders.pillow`.
_WEBP_METHOD = 2


class Imagecodecs:
    """The `imagecodecs` package."""

    name: ClassVar[str] = "imagecodecs"
    formats: ClassVar[tuple[ImageFormat, ...]] = ("png", "jpg", "webp")

    @classmethod
    def unavailable(cls) -> str | None:
        """Not installed."""
        if find_spec("imagecodecs") is None:
            return "imagecodecs is not installed; pip install 'generator-engine[images]'"
        return None

    @classmethod
    def version(cls, format: ImageFormat) -> str:
        """The package's version and the codec's."""
        import imagecodecs

        codecs = {
            "png": imagecodecs.png_version,
            "jpg": imagecodecs.jpeg8_version,
            "webp": imagecodecs.webp_version,
        }
        return f"{imagecodecs.__version__} ({codecs[format]()})"

    @classmethod
    def encoder(cls, coding: Coding) -> Encode:
        """One call a picture."""
        import imagecodecs

        if coding.format == "png":
            encode = partial(imagecodecs.png_encode, **_PNG)
        elif coding.format == "jpg":
            encode = partial(imagecodecs.jpeg8_encode, level=coding.quality, subsampling="420")
        elif coding.lossless:
            encode = partial(imagecodecs.webp_encode, lossless=True, level=0, method=0)
        else:
            encode = partial(
                imagecodecs.webp_encode, level=coding.quality, lossless=False, method=_WEBP_METHOD
            )

        def plain(image: Image) -> bytes:
            return bytes(encode(without_single_channel(image)))

        def coloured(image: Image) -> bytes:
            # WebP knows no grey, and this library does not help.
            return plain(image.repeat(3, axis=2) if image.shape[2] == 1 else image)

        return coloured if coding.format == "webp" else plain
