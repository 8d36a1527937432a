"""Arithmetic against numpy and torch: broadcasting, NaN, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.reference.arithmetic import BINARY, add, affine, binary, multiply, prelu

torch = pytest.importorskip("torch")

GENERATOR = np.random.default_rng(11)


def doubles(*shape: int) -> np.ndarray:
    return GENERATOR.standard_normal(shape)


def test_sums_and_products_go_left_to_right() -> None:
    a, b, c = doubles(2, 3), doubles(2, 3), doubles(2, 3)
    np.testing.assert_array_equal(add(a, b, c), (a + b) + c)
    np.testing.assert_array_equal(multiply(a, b, c), (a * b) * c)
    np.testing.assert_array_equal(add(a), a)


def test_float32_is_added_in_float64() -> None:
    large, small = np.float32(2.0**24), np.float32(0.25)
    assert add([large], [small])[0] == 2.0**24 + 0.25


@pytest.mark.parametrize("function", [add, multiply])
def test_other_shapes_refused(function) -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\), \(1, 3\)"):
        function(doubles(2, 3), doubles(1, 3))
    with pytest.raises(ValueError, match="at least one"):
        function()


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param((5,), id="channel"),
        pytest.param((3, 4, 5), id="all"),
        pytest.param((3, 1, 1), id="row"),
        pytest.param((1, 5), id="leading_one"),
        pytest.param((), id="number"),
    ],
)
def test_affine(shape: tuple[int, ...]) -> None:
    x, scale, shift = doubles(2, 3, 4, 5), doubles(*shape), doubles(*shape)
    np.testing.assert_array_equal(affine(x, scale, shift), x * scale + shift)
    np.testing.assert_array_equal(affine(x, scale), x * scale)
    np.testing.assert_array_equal(affine(x, shift=shift), x + shift)
    np.testing.assert_array_equal(affine(x), x)


def test_affine_refused() -> None:
    with pytest.raises(ValueError, match=r"scale \(4,\) does not broadcast to x \(2, 5\)"):
        affine(doubles(2, 5), doubles(4))
    with pytest.raises(ValueError, match=r"shift \(1, 2, 5\)"):
        affine(doubles(2, 5), None, doubles(1, 2, 5))


def test_prelu() -> None:
    x, slope = doubles(3, 4, 2), doubles(2)
    expected = torch.nn.functional.prelu(
        torch.from_numpy(x).movedim(-1, 1), torch.from_numpy(slope)
    ).movedim(1, -1)
    np.testing.assert_array_equal(prelu(x, slope), expected)
    assert np.isnan(prelu([np.nan], 0.5)).all()


@pytest.mark.parametrize("function", BINARY)
def test_binary(function: str) -> None:
    a, b = doubles(2, 3, 1), doubles(2, 1, 4)
    a[0, 0] = np.nan
    name = {"max": "maximum", "min": "minimum"}.get(function, function)
    expected = getattr(torch, name)(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(binary(function, a, b), expected, rtol=1e-14)


def test_binary_refused() -> None:
    with pytest.raises(ValueError, match="'mod' is not one of add"):
        binary("mod", 1.0, 1.0)
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(3,\)"):
        binary("add", doubles(2, 3), doubles(3))
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 2\)"):
        binary("add", doubles(2, 3), doubles(2, 2))


def test_division_by_zero() -> None:
    np.testing.assert_array_equal(binary("div", [1.0, 0.0], [0.0, 0.0]), [np.inf, np.nan])
