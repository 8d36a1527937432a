from __future__ import annotations

import pytest
import torch

from engine.core.errors import OptionError
from training.augment import NAMES, Augment, cutout, flip, translation


@pytest.mark.parametrize("name", NAMES)
def test_each_transform_keeps_the_shape_and_passes_gradients(name):
    torch.manual_seed(0)
    images = torch.rand(5, 3, 9, 7, requires_grad=True)
    out = Augment([name])(images)
    assert out.shape == images.shape
    out.sum().backward()
    assert images.grad is not None
    assert images.grad.abs().sum() > 0


def test_translation_moves_by_at_most_the_ratio_and_fills_with_zeros():
    torch.manual_seed(1)
    images = torch.zeros(200, 1, 16, 16)
    images[:, :, 8, 8] = 1.0
    places = translation(images, 0.125).flatten(1).argmax(1)
    rows, columns = places // 16, places % 16
    assert set(rows.tolist()) == {6, 7, 8, 9, 10}
    assert set(columns.tolist()) == {6, 7, 8, 9, 10}
    assert float(translation(torch.ones(50, 1, 16, 16)).min()) == 0.0


def test_flip_gives_each_image_or_its_mirror():
    torch.manual_seed(2)
    images = torch.rand(64, 3, 4, 4)
    out = flip(images)
    same = (out == images).flatten(1).all(1)
    mirrored = (out == images.flip(3)).flatten(1).all(1)
    assert bool((same | mirrored).all())
    assert 10 < int(mirrored.sum()) < 54


def test_cutout_blanks_a_square_of_at_most_the_ratio():
    torch.manual_seed(3)
    blank = (cutout(torch.ones(100, 1, 8, 8), 0.5) == 0).flatten(1).sum(1)
    assert int(blank.max()) == 16
    assert int(blank.min()) >= 4


def test_no_names_leave_the_images_as_they_are():
    images = torch.rand(2, 1, 4, 4)
    assert torch.equal(Augment([])(images), images)


def test_unknown_name_is_refused_with_the_list():
    with pytest.raises(OptionError, match=r"'rotate'.*flip, colour, translation, cutout"):
        Augment(["rotate"])
