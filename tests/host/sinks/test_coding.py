from __future__ import annotations

import re

import numpy as np
import pytest

from engine.core.errors import OptionError
from engine.sinks.coding import Coding, check_images, plan_coding


def test_defaults() -> None:
    assert plan_coding("jpg") == Coding("jpg", 90)
    assert plan_coding("webp") == Coding("webp", 90)
    assert plan_coding("webp", lossless=True) == Coding("webp")
    assert plan_coding("png", lossless=True) == Coding("png")
    assert plan_coding("jpg", 1).settings() == {"quality": 1, "subsampling": "4:2:0"}
    assert plan_coding("png").settings() == {"lossless": True}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("jpeg",), "image format 'jpeg' is unknown; did you mean 'jpg'?"),
        (("jpg", 0), "quality 0 is out of range; give 1 (small) to 100 (best)"),
        (("webp", 101), "quality 101 is out of range"),
        (("png", 90), "quality 90 is for lossy images, and png is written without loss"),
        (("webp", 90, True), "quality 90 is for lossy images"),
        (("jpg", None, True), "JPEG is never lossless; choose png or webp"),
    ],
    ids=["unknown", "too low", "too high", "of PNG", "of lossless WebP", "lossless JPEG"],
)
def test_what_a_format_does_not_have_is_refused(
    arguments: tuple[object, ...], message: str
) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        plan_coding(*arguments)


@pytest.mark.parametrize(
    ("format", "shape", "message"),
    [
        ("jpg", (8, 8, 2), "JPG holds 1 or 3 channels and the images have 2; write png or .npy"),
        ("jpg", (8, 8, 4), "JPG holds 1 or 3 channels and the images have 4; write png or .npy"),
        ("webp", (8, 8, 2), "WEBP holds 1 or 3 or 4 channels and the images have 2"),
        ("png", (8, 8, 5), "PNG holds 1 or 2 or 3 or 4 channels and the images have 5; write .npy"),
        ("webp", (8, 16384, 3), "WEBP holds sides of 16383 pixels and the images are 16384x8"),
        ("png", (1, 64), "samples of shape [1, 64] are no images; write .npy"),
    ],
    ids=["JPEG of 2", "JPEG of 4", "WebP of 2", "PNG of 5", "wide WebP", "no image"],
)
def test_images_that_do_not_fit_are_refused(
    format: str, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        check_images(shape, np.uint8, plan_coding(format))


def test_floats_are_refused() -> None:
    with pytest.raises(OptionError, match=r"holds uint8 images, not float32; write .npy"):
        check_images((8, 8, 3), np.float32, plan_coding("png"))
