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


def test_odd_shapes_are_cropped_and_resized_to_the_median_side(tmp_path):
    sizes = [(4, 4), (30, 12), (12, 12), (12, 40), (50, 90)]
    paths = [save(tmp_path / f"{i}.png", size=size) for i, size in enumerate(sizes)]
    read = read_images(paths, channels=1)
    assert read.images.shape == (5, 12, 12, 1)
    assert "2 images resized to 12x12, from sides of 4 to 50 pixels" in read.report


def test_a_small_first_file_does_not_blur_the_others(tmp_path):
    rng = np.random.default_rng(0)
    large = Image.fromarray(rng.integers(0, 256, (64, 64, 3)).astype(np.uint8))
    large.save(tmp_path / "b.png")
    read = read_images([save(tmp_path / "a.png"), tmp_path / "b.png"], channels=3, size=32)
    straight = large.resize((32, 32), Image.Resampling.LANCZOS)
    assert np.array_equal(read.images[1], np.asarray(straight))
    assert "2 images resized to 32x32, from sides of 8 to 64 pixels" in read.report


def test_images_of_one_size_keep_it(tmp_path):
    paths = [save(tmp_path / "a.png", size=(28, 28)), save(tmp_path / "b.png", size=(28, 28))]
    read = read_images(paths, channels=1, size=32)
    assert read.images.shape == (2, 28, 28, 1)
    assert read.report == ("2 images read",)


def test_nothing_readable_is_an_error_with_the_names(tmp_path):
    (tmp_path / "x.png").write_text("no image")
    with pytest.raises(TrainingError, match=r"none of 1 image files.*x\.png"):
        read_images([tmp_path / "x.png"], channels=3)
