from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import OptionError
from engine.sinks.png import check_image_shape, encode_png
from tests.cases.sinks import noise


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
