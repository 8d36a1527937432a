from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import OptionError
from engine.sinks import encoders
from engine.sinks.coding import plan_coding
from engine.sinks.encoders.base import Encoder
from engine.sinks.encoders.imagecodecs import Imagecodecs

CODINGS = {
    "png": plan_coding("png"),
    "jpg": plan_coding("jpg"),
    "jpg at 40": plan_coding("jpg", 40),
    "webp": plan_coding("webp"),
    "webp without loss": plan_coding("webp", lossless=True),
}


def chosen(name: str, coding: str) -> Encoder:
    if name == "imagecodecs" and (reason := Imagecodecs.unavailable()):
        pytest.skip(reason)
    return encoders.choose(CODINGS[coding], name)


def smooth(height: int, width: int, channels: int) -> np.ndarray:
    """Soft waves, which lossy formats keep."""
    y, x, c = np.ogrid[:height, :width, :channels]
    return (127 + 100 * np.sin(x / 9 + c) * np.cos(y / 7)).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", encoders.names())
def test_pillow_reads_back_what_every_encoder_writes(name: str, coding: str, channels: int) -> None:
    image = smooth(40, 24, channels)
    data = chosen(name, coding).encode(image)
    assert isinstance(data, bytes)
    with Image.open(io.BytesIO(data)) as read:
        assert read.size == (24, 40)
        pixels = np.asarray(read.convert("L" if channels == 1 else "RGB"), np.int64)
    error = np.abs(pixels.reshape(image.shape) - image)
    if CODINGS[coding].lossless:
        assert error.max() == 0
    else:
        assert error.mean() < 4


@pytest.mark.parametrize(
    ("coding", "channels"),
    [("png", 2), ("png", 4), ("webp without loss", 4)],
    ids=["PNG of 2", "PNG of 4", "WebP of 4"],
)
@pytest.mark.parametrize("name", encoders.names())
def test_transparency_comes_back(name: str, coding: str, channels: int) -> None:
    image = np.random.default_rng(0).integers(1, 256, (9, 7, channels), np.uint8)
    with Image.open(io.BytesIO(chosen(name, coding).encode(image))) as read:
        assert np.array_equal(np.asarray(read), image)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("name", encoders.names())
def test_views_and_threads_give_the_same_bytes(name: str, coding: str) -> None:
    encode = chosen(name, coding).encode
    large = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    view = large[::2, ::-3]
    expected = encode(view.copy())
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(encode, [view] * 40)) == {expected}


@pytest.mark.parametrize("name", encoders.names())
def test_jpeg_has_the_quality_and_the_subsampling(name: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    with Image.open(io.BytesIO(chosen(name, "jpg").encode(image))) as read:
        # libjpeg's scale: at quality 90, a fifth of the standard tables; the first entry is 16.
        assert read.quantization[0][0] == 3
        assert read.layer == [(1, 2, 2, 0), (2, 1, 1, 1), (3, 1, 1, 1)]
    sizes = [len(chosen(name, coding).encode(image)) for coding in ("jpg at 40", "jpg")]
    assert sizes[0] < sizes[1]


def test_the_fastest_that_is_installed_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Imagecodecs, "unavailable", classmethod(lambda cls: "it is not installed"))
    encoder = encoders.choose(CODINGS["jpg"])
    assert re.fullmatch(r"pillow [\d.]+ \(libjpeg_turbo [\d.]+\)", encoder.name)
    assert encoder.reason == "it is not installed"
    with pytest.raises(OptionError, match="encoder 'imagecodecs': it is not installed"):
        encoders.choose(CODINGS["jpg"], "imagecodecs")


def test_the_fast_one_comes_first() -> None:
    encoder = chosen("imagecodecs", "jpg")
    assert encoder.reason == "asked for"
    automatic = encoders.choose(CODINGS["jpg"])
    assert automatic.name == encoder.name
    assert automatic.reason == "the fastest encoder that is installed"


def test_an_unknown_encoder_is_refused() -> None:
    with pytest.raises(OptionError, match="encoder 'pilow' is unknown; did you mean 'pillow'"):
        encoders.choose(CODINGS["jpg"], "pilow")
