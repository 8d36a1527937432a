"""Floats to uint8 and back."""

from __future__ import annotations

import numpy as np
import pytest

from engine.images import from_uint8, to_uint8


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (-2.5, 3.0)])
def test_round_trip_is_exact(value_range: tuple[float, float]) -> None:
    images = np.arange(256, dtype=np.uint8).reshape(1, 8, 16, 2)
    values = from_uint8(images, value_range)
    assert values.shape == (1, 2, 8, 16)
    assert values.min() == pytest.approx(value_range[0])
    assert values.max() == pytest.approx(value_range[1])
    assert (to_uint8(values, value_range) == images).all()


def test_rounds_and_clips() -> None:
    values = np.array([-9.0, -1.0, 0.0, 0.999, 1.0, 9.0], np.float32).reshape(1, 1, 1, 6)
    assert to_uint8(values, (-1.0, 1.0)).ravel().tolist() == [0, 0, 128, 255, 255, 255]


def test_input_is_left_alone() -> None:
    values = np.full((1, 1, 2, 2), 0.5, np.float32)
    to_uint8(values, (-1.0, 1.0))
    assert (values == 0.5).all()
