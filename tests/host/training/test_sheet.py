from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from PIL import Image

from engine.latents import draw
from engine.models import create
from training.sheet import FixedSamples, diversity, save_sheet, to_uint8


def test_diversity_is_the_root_mean_square_distance_of_pairs():
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 3)).astype(np.uint8)
    flat = images.reshape(7, -1) / 255.0
    squared = [np.square(a - b).mean() for a, b in itertools.permutations(flat, 2)]
    assert diversity(images) == pytest.approx(np.sqrt(np.mean(squared)), rel=1e-12)


def test_a_collapsed_generator_has_no_diversity():
    image = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 1)).astype(np.uint8)
    assert diversity(np.repeat(image, 16, axis=0)) == pytest.approx(0.0, abs=1e-12)
    assert diversity(image) == 0.0


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (0.0, 1.0)])
def test_uint8_rounds_and_clips(low, high):
    unit = torch.tensor([-0.2, 0.0, 0.4999 / 255, 0.5001 / 255, 1.0, 1.3])
    images = (unit * (high - low) + low).reshape(1, 1, 2, 3)
    assert to_uint8(images, (low, high)).ravel().tolist() == [0, 0, 0, 1, 255, 255]


@pytest.mark.parametrize(("count", "columns", "rows"), [(1, 1, 1), (5, 3, 2), (9, 3, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_sheet_holds_every_image(tmp_path, count, columns, rows, channels):
    images = np.arange(count * 4 * 6 * channels).reshape(count, 4, 6, channels).astype(np.uint8)
    save_sheet(tmp_path / "sheet.png", images)
    with Image.open(tmp_path / "sheet.png") as file:
        sheet = np.asarray(file).reshape(file.height, file.width, channels)
    assert sheet.shape[:2] == (rows * 6 + 2, columns * 8 + 2)
    for index in range(count):
        top, left = index // columns * 6 + 2, index % columns * 8 + 2
        assert np.array_equal(sheet[top : top + 4, left : left + 6], images[index])


def test_fixed_samples_are_the_engines_latents_and_classes_in_turn():
    model = create("dcgan", size=32, channels=1, latent=3, width=2, classes=4).eval()
    fixed = FixedSamples(model, seed=5, count=10)
    z = torch.from_numpy(draw(model.describe("x").latent, 5, 0, 10))
    with torch.no_grad():
        expected = model(z, torch.arange(10) % 4)
    assert np.array_equal(fixed.draw(model), to_uint8(expected, (-1.0, 1.0)))
