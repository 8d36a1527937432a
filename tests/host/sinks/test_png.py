from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import OptionError
from engine.sinks.png import check_image_shape, encode_png, is_whole_png


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(
    ("channels", "mode"),
    [(1, "L"), (2, "LA"), (3, "RGB"), (4, "RGBA")],
    ids=["L", "LA", "RGB", "RGBA"],
)
def test_pixels_come_back_in_the_mode_of_the_channels(channels: int, mode: str) -> None:
    image = noise(5, 7, channels)
    read = Image.open(io.BytesIO(encode_png(image)))
    assert read.mode == mode
    assert np.array_equal(np.asarray(read).reshape(image.shape), image)


def test_a_view_that_is_not_contiguous_is_written_right() -> None:
    image = noise(8, 8, 3)[::2, ::-1]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(image)))), image)


def test_text_chunks_keep_unicode() -> None:
    read = Image.open(io.BytesIO(encode_png(noise(2, 2, 1), {"key": "Größe ☂"})))
    assert read.text["key"] == "Größe ☂"


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 5), (16000,)], ids=["2-D", "5 channels", "audio"])
def test_what_is_no_image_is_refused_with_the_remedy(shape: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="npy"):
        check_image_shape(shape)


def test_floats_are_refused() -> None:
    with pytest.raises(OptionError, match="float32"):
        encode_png(np.zeros((2, 2, 1), np.float32))


def test_damage_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    data = bytearray(encode_png(noise(16, 16, 1)))
    path.write_bytes(data)
    assert is_whole_png(path, (16, 16, 1))
    assert not is_whole_png(path, (16, 16, 3))
    assert not is_whole_png(path, (16, 8, 1))
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert not is_whole_png(path, (16, 16, 1))
    path.write_bytes(data[:40])
    assert not is_whole_png(path, (16, 16, 1))
    path.write_bytes(b"")
    assert not is_whole_png(path, (16, 16, 1))
