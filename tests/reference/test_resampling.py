"""Upsampling, interpolation by matrices, depth to space against torch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.reference.resampling import depth_to_space, resample, upsample

torch = pytest.importorskip("torch")
F = torch.nn.functional


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    factors=st.lists(st.integers(1, 3), min_size=3, max_size=3),
    batch=st.integers(0, 2),
)
def test_upsample(sizes: list[int], factors: list[int], batch: int) -> None:
    x = np.random.default_rng(0).standard_normal((batch, *sizes, 2))
    scales = factors[: len(sizes)]
    out = upsample(x, scales)
    assert out.shape == (batch, *(n * s for n, s in zip(sizes, scales, strict=True)), 2)
    if batch:
        expected = F.interpolate(
            torch.from_numpy(x).movedim(-1, 1), scale_factor=tuple(map(float, scales))
        )
        np.testing.assert_array_equal(out, expected.movedim(1, -1))


@pytest.mark.parametrize("scales", [(2,), (2, 0), (2, 2, 2)], ids=str)
def test_upsample_refused(scales: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be 2 numbers of at least 1"):
        upsample(np.ones((1, 2, 2, 1)), scales)


def test_pixel_shuffle() -> None:
    x = np.random.default_rng(1).standard_normal((2, 3, 5, 12))
    expected = F.pixel_shuffle(torch.from_numpy(x).movedim(-1, 1), 2).movedim(1, -1)
    np.testing.assert_array_equal(depth_to_space(x, (2, 2), channels_first=True), expected)


def test_depth_to_space_of_onnx() -> None:
    """The formula of ONNX DepthToSpace, mode DCR, on channels-first tensors."""
    x = np.random.default_rng(2).standard_normal((2, 3, 5, 12))
    first = np.moveaxis(x, -1, 1).reshape(2, 2, 2, 3, 3, 5)
    expected = first.transpose(0, 3, 4, 1, 5, 2).reshape(2, 3, 6, 10)
    np.testing.assert_array_equal(depth_to_space(x, (2, 2)), np.moveaxis(expected, 1, -1))


def test_depth_to_space_on_one_axis_with_uneven_block() -> None:
    x = np.arange(12.0).reshape(1, 2, 6)
    expected = np.array([[[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11]]], float)
    np.testing.assert_array_equal(depth_to_space(x, (3,)), expected)
    assert depth_to_space(np.ones((0, 2, 2, 6)), (1, 3)).shape == (0, 2, 6, 2)


def test_depth_to_space_refused() -> None:
    with pytest.raises(ValueError, match=r"block=\(2, 2\) does not fit x \(1, 2, 2, 6\)"):
        depth_to_space(np.ones((1, 2, 2, 6)), (2, 2))


def test_resample_is_bilinear_with_its_matrices() -> None:
    x = np.random.default_rng(3).standard_normal((2, 4, 3, 2))

    def matrix(new: int, old: int) -> np.ndarray:
        # Each column is what torch makes of one unit vector.
        units = torch.eye(old).double()[None]
        return F.interpolate(units, new, mode="linear")[0].T.numpy()

    expected = F.interpolate(torch.from_numpy(x).movedim(-1, 1), (7, 6), mode="bilinear")
    out = resample(x, (matrix(7, 4), matrix(6, 3)))
    np.testing.assert_allclose(out, expected.movedim(1, -1), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(resample(x, (None, None)), x)


def test_resample_refused() -> None:
    with pytest.raises(ValueError, match=r"matrix \(7, 5\) must be \[new, 4\]"):
        resample(np.ones((1, 4, 2)), (np.ones((7, 5)),))
    with pytest.raises(ValueError, match="1 matrices for the 2 axes"):
        resample(np.ones((1, 4, 4, 2)), (None,))
