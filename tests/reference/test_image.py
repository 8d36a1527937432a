"""Images to bytes: rounding, clipping, NaN."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from kernels.reference.image import to_uint8

torch = pytest.importorskip("torch")


def test_against_torch() -> None:
    x = np.random.default_rng(4).uniform(-1.3, 1.3, (3, 5, 7, 3))
    expected = ((torch.from_numpy(x) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    np.testing.assert_array_equal(to_uint8(x), expected)


def test_every_level_comes_back() -> None:
    levels = np.arange(256)
    np.testing.assert_array_equal(to_uint8(levels / 255.0, (0.0, 1.0)), levels)
    np.testing.assert_array_equal(to_uint8(levels / 127.5 - 1.0), levels)


def test_halves_go_to_even() -> None:
    levels = np.arange(255) + 0.5
    out = to_uint8(levels, (0.0, 255.0))
    assert out.tolist() == [round(Fraction(level)) for level in levels]


def test_clipped_and_nan() -> None:
    assert to_uint8([-np.inf, -2.0, 2.0, np.inf, np.nan]).tolist() == [0, 0, 255, 255, 0]


@pytest.mark.parametrize("value_range", [(1.0, 1.0), (1.0, -1.0), (0.0, float("nan"))], ids=str)
def test_refused(value_range: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="value_range="):
        to_uint8(0.0, value_range)
