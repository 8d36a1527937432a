from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import TrainingError
from training.data.files import flatten, read_images


def save(path, size=(8, 8), colour=(200, 10, 30), mode="RGB"):
    Image.new(mode, size, colour).save(path)
    return path


def test_transparency_becomes_white():
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 0, 255, 0))
    assert np.asarray(flatten(image, 3)).tolist() == [[[255, 0, 0], [255, 255, 255]]]


def test_a_transparent_palette_becomes_white():
    image = Image.new("P", (1, 1), 0)
    image.putpalette([9, 9, 9])
    image.info["transparency"] = 0
    assert np.asarray(flatten(image, 3)).tolist() == [[[255, 255, 255]]]


def test_sixteen_bit_grey_is_scaled_not_clipped():
    image = Image.fromarray(np.array([[0, 32768, 65535]], np.uint16))
    assert np.asarray(flatten(image, 1)).tolist() == [[0, 128, 255]]


def test_broken_files_are_skipped_and_reported(tmp_path):
    good, torn, text = save(tmp_path / "a.png"), tmp_path / "b.png", tmp_path / "c.png"
    save(torn, size=(64, 64))
    torn.write_bytes(torn.read_bytes()[:60])
    text.write_text("no image")
    read = read_images([torn, good, text, tmp_path / "missing.png"], channels=3)
    assert read.kept.tolist() == [1]
    assert read.report[1].startswith("3 broken files skipped: b.png")
    assert "c.png" in read.report[1]
    assert "missing.png" in read.report[1]


def test_odd_shapes_are_cropped_and_resized_to_the_first(tmp_path):
    paths = [save(tmp_path / "a.png"), save(tmp_path / "b.png", size=(30, 12))]
    read = read_images(paths, channels=1)
    assert read.images.shape == (2, 8, 8, 1)
    assert "1 images resized to 8x8" in read.report


def test_nothing_readable_is_an_error_with_the_names(tmp_path):
    (tmp_path / "x.png").write_text("no image")
    with pytest.raises(TrainingError, match=r"none of 1 image files.*x\.png"):
        read_images([tmp_path / "x.png"], channels=3)
