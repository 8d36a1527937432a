from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engine.core.errors import OptionError
from training.data.prepare import prepare


def test_28_is_padded_to_32_with_the_background(data):
    images = np.full((3, 28, 28, 1), 7, np.uint8)
    images[:, 10:20, 10:20] = 200
    small = dataclasses.replace(data, images=images, labels=data.labels[:3])
    out = prepare(small, 32, 1)
    assert out.images.shape == (3, 32, 32, 1)
    assert np.array_equal(out.images[:, 2:30, 2:30], images)
    assert (out.images[:, :2] == 7).all()
    assert "padded from 28x28 to 32x32" in out.report


@pytest.mark.parametrize("size", [16, 64])
def test_other_sizes_are_resized(data, size):
    out = prepare(data, size, 1)
    assert out.images.shape == (48, size, size, 1)
    assert abs(float(out.images.mean()) - float(data.images.mean())) < 2
    assert f"resized from 32x32 to {size}x{size}" in out.report


def test_the_right_size_stays_untouched(data):
    assert prepare(data, 32, 1).images is data.images


def test_grey_and_colour_convert_both_ways(data):
    coloured = prepare(data, 32, 3)
    assert np.array_equal(coloured.images[..., 1], data.images[..., 0])
    assert np.array_equal(prepare(coloured, 32, 1).images, data.images)


def test_two_channels_are_refused(data):
    with pytest.raises(OptionError, match="--channels 2"):
        prepare(data, 32, 2)
