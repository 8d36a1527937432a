"""Reductions and softmax."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.reference.reduction import REDUCTIONS, reduce, softmax

torch = pytest.importorskip("torch")

X = np.random.default_rng(8).standard_normal((2, 3, 4, 5))


@pytest.mark.parametrize("function", REDUCTIONS)
def test_reduce(function: str) -> None:
    name = {"max": "amax", "min": "amin"}.get(function, function)
    expected = getattr(torch, name)(torch.from_numpy(X), dim=(1, 3), keepdim=True)
    np.testing.assert_allclose(reduce(X, function, (1, -1)), expected, rtol=1e-12, atol=1e-14)


def test_softmax() -> None:
    x = X * 300
    expected = torch.softmax(torch.from_numpy(x), -1)
    np.testing.assert_allclose(softmax(x), expected, rtol=1e-12, atol=1e-300)
    assert softmax(np.empty((0, 3))).shape == (0, 3)


def test_refused() -> None:
    with pytest.raises(ValueError, match="'median' is not one of mean"):
        reduce(X, "median", (1,))
    with pytest.raises(ValueError, match="nothing to take the max of"):
        reduce(X[:, :0], "max", (1,))
    np.testing.assert_array_equal(reduce(X[:, :0], "sum", (1,)), np.zeros((2, 1, 4, 5)))
