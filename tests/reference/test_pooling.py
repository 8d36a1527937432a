"""Pooling against torch in float64."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.geometry import Geometry
from kernels.reference.pooling import average_pool, global_average, max_pool

torch = pytest.importorskip("torch")
F = torch.nn.functional

X = np.random.default_rng(2).standard_normal((2, 7, 6, 3))
FIRST = torch.from_numpy(X).movedim(-1, 1)
WINDOWS = {
    "halves": {"kernel_size": 2, "stride": 2, "padding": 0},
    "overlap": {"kernel_size": 3, "stride": 2, "padding": 1},
    "uneven": {"kernel_size": (3, 2), "stride": (1, 2), "padding": (1, 0)},
}


def geometry(options: dict) -> Geometry:
    kernel = options["kernel_size"]
    kernel = kernel if isinstance(kernel, tuple) else (kernel, kernel)
    return Geometry.forward((7, 6), kernel, options["stride"], options["padding"])


@pytest.mark.parametrize("name", WINDOWS)
def test_max_pool(name: str) -> None:
    expected = F.max_pool2d(FIRST, **WINDOWS[name]).movedim(1, -1)
    np.testing.assert_array_equal(max_pool(X, geometry(WINDOWS[name])), expected)


def test_max_pool_dilated() -> None:
    expected = F.max_pool2d(FIRST, 2, 1, 1, dilation=2).movedim(1, -1)
    out = max_pool(X, Geometry.forward((7, 6), (2, 2), 1, 1, 2))
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("name", WINDOWS)
@pytest.mark.parametrize("outside", [False, True], ids=["inside", "outside"])
def test_average_pool(name: str, outside: bool) -> None:
    expected = F.avg_pool2d(FIRST, **WINDOWS[name], count_include_pad=outside).movedim(1, -1)
    out = average_pool(X, geometry(WINDOWS[name]), outside)
    np.testing.assert_allclose(out, expected, rtol=1e-13, atol=1e-15)


def test_three_axes_and_empty_batch() -> None:
    x = np.random.default_rng(3).standard_normal((2, 4, 5, 6, 2))
    window = Geometry.forward((4, 5, 6), (2, 2, 2), 2)
    expected = F.max_pool3d(torch.from_numpy(x).movedim(-1, 1), 2).movedim(1, -1)
    np.testing.assert_array_equal(max_pool(x, window), expected)
    assert average_pool(x[:0], window).shape == (0, 2, 2, 3, 2)


def test_nan_wins() -> None:
    x = np.zeros((1, 4, 1))
    x[0, 1] = np.nan
    window = Geometry.forward((4,), (2,), 2)
    np.testing.assert_array_equal(max_pool(x, window)[0, :, 0], [np.nan, 0.0])
    np.testing.assert_array_equal(average_pool(x, window)[0, :, 0], [np.nan, 0.0])


def test_global_average() -> None:
    expected = F.adaptive_avg_pool2d(FIRST, 1)[:, :, 0, 0]
    np.testing.assert_allclose(global_average(X), expected, rtol=1e-12, atol=1e-15)


def test_refused() -> None:
    with pytest.raises(ValueError, match="not transposed"):
        max_pool(X, Geometry.transposed((7, 6), (2, 2), 2))
    with pytest.raises(ValueError, match=r"x \(2, 7, 6, 3\)"):
        average_pool(X, Geometry.forward((6, 6), (2, 2), 2))
