"""Latents and labels: streams, distributions, truncation, interpolation."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import OptionError
from engine.core.spec import Noise
from engine.latents import Kind, draw, interpolate, random_labels, stream
from kernels import philox

NORMAL = Noise((3, 5))


def test_latents_are_stream_zero() -> None:
    expected = philox.normal(9, 4, 6, 15, 0).reshape(6, 3, 5)
    assert (draw(NORMAL, 9, 4, 6) == expected).all()


def test_streams_are_apart() -> None:
    numbers = [stream(kind, index) for kind in Kind for index in (0, 1, 255)]
    assert len(set(numbers)) == len(numbers)
    assert stream(Kind.NOISE_LAYER, 2) == 3 | 2 << 8
    latents = draw(NORMAL, 0, 0, 4)
    assert (draw(NORMAL, 0, 0, 4, kind=Kind.REPARAMETERISATION) != latents).any()
    assert (draw(NORMAL, 0, 0, 4, index=1) != latents).any()


def test_uniform_spans_minus_one_to_one() -> None:
    values = draw(Noise((50,), "uniform"), 0, 0, 400)
    assert values.min() < -0.99
    assert values.max() > 0.99
    assert np.abs(values).max() <= 1.0
    assert values.var() == pytest.approx(1 / 3, rel=0.03)


def test_truncation_of_uniform_is_refused() -> None:
    with pytest.raises(OptionError, match=r"truncation=0\.5"):
        draw(Noise((2,), "uniform"), 0, 0, 1, truncation=0.5)


def test_random_labels() -> None:
    labels = random_labels(7, 3, 10, 20)
    word = philox.words(3, 10, 20, 1, 1)[:, 0].astype(object)
    assert labels.tolist() == [int(value) * 7 >> 32 for value in word]


def test_interpolation_ends_and_length() -> None:
    first, last = draw(NORMAL, 0, 0, 2)
    way = interpolate(first, last, 9, NORMAL)
    np.testing.assert_allclose(way[0], first, atol=1e-6)
    np.testing.assert_allclose(way[-1], last, atol=1e-6)
    lengths = np.linalg.norm(way.reshape(9, -1), axis=1)
    ends = np.linalg.norm(first), np.linalg.norm(last)
    # A straight line would dip well below both ends in the middle.
    assert lengths.min() > 0.9 * min(ends)


def test_interpolation_between_equal_latents() -> None:
    first = draw(NORMAL, 0, 0, 1)[0]
    np.testing.assert_allclose(interpolate(first, first, 3, NORMAL)[1], first, atol=1e-6)


def test_interpolation_needs_two_steps() -> None:
    first = draw(NORMAL, 0, 0, 1)[0]
    with pytest.raises(OptionError, match="steps=1"):
        interpolate(first, first, 1, NORMAL)
