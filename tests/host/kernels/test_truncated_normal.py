"""Truncated normals against the standard library's quantile function."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from kernels import philox
from kernels.truncated_normal import inverse_normal, truncated_normal


def test_inverse_normal() -> None:
    probability = np.array([1e-300, 1e-15, 1e-9, 0.01, 0.075, 0.3, 0.5, 0.7, 0.925, 0.99, 1 - 1e-9])
    expected = [statistics.NormalDist().inv_cdf(value) for value in probability]
    np.testing.assert_allclose(inverse_normal(probability), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("truncation", [0.01, 0.5, 1.0, 2.0, 8.0])
def test_bounds_and_variance(truncation: float) -> None:
    values = truncated_normal(0, 0, 500, 40, truncation).astype(np.float64)
    assert np.abs(values).max() <= truncation
    normal = statistics.NormalDist()
    mass = 2 * normal.cdf(truncation) - 1
    variance = 1 - 2 * truncation * normal.pdf(truncation) / mass
    assert values.var() == pytest.approx(variance, rel=0.04)


def test_one_value_by_hand() -> None:
    word = philox.folded(philox.words(9, 4, 1, 1))[0, 0]
    normal = statistics.NormalDist()
    tail = normal.cdf(-0.7)
    expected = normal.inv_cdf(tail + (int(word) + 0.5) * 2.0**-31 * (1 - 2 * tail))
    assert truncated_normal(9, 4, 1, 1, 0.7)[0, 0] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("truncation", [0.0, -1.0, float("nan"), float("inf")])
def test_refused(truncation: float) -> None:
    with pytest.raises(ValueError, match="truncation="):
        truncated_normal(0, 0, 1, 1, truncation)
