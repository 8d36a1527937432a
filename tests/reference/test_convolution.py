"""Convolution and linear layers against torch in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels.geometry import Geometry
from kernels.reference.convolution import convolution
from kernels.reference.linear import linear, matmul
from tests.cases.geometries import FORWARD, TRANSPOSED, geometries

torch = pytest.importorskip("torch")
F = torch.nn.functional


def expected(x: np.ndarray, weight: np.ndarray, geometry: Geometry, groups: int) -> np.ndarray:
    """The same by torch, which wants symmetric padding: full result, then cut or filled."""
    rank = geometry.rank
    inner = torch.from_numpy(x).movedim(-1, 1)
    # [*kernel, in / groups, out] -> [out, in / groups, *kernel]
    taps = torch.from_numpy(weight).movedim((-1, -2), (0, 1))
    stride, dilation = geometry.stride, geometry.dilation
    if geometry.direction == "forward":
        # Room for every window: the low side as said, the high side more than enough.
        wide = [
            side
            for low, out, step in zip(
                reversed(geometry.padding),
                reversed(geometry.output_size),
                reversed(stride),
                strict=True,
            )
            for side in (low, out * step + 16)
        ]
        function = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
        out = function(F.pad(inner, wide), taps, stride=stride, dilation=dilation, groups=groups)
        starts = (0,) * rank
    else:
        # [out, in / groups] of all groups -> [in, out / groups].
        width = taps.shape[0] // groups
        taps = taps.reshape(groups, width, -1, *geometry.kernel).transpose(1, 2)
        taps = taps.reshape(-1, width, *geometry.kernel)
        function = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
        out = function(inner, taps, stride=stride, dilation=dilation, groups=groups)
        room = [side for size in reversed(geometry.output_size) for side in (0, size + 8)]
        out = F.pad(out, room)
        starts = geometry.padding
    for axis, (start, size) in enumerate(zip(starts, geometry.output_size, strict=True), start=2):
        out = out.narrow(axis, start, size)
    return out.movedim(1, -1).numpy()


def check(
    geometry: Geometry, batch: int = 2, channels: int = 3, width: int = 2, groups: int = 1
) -> None:
    generator = np.random.default_rng(batch + 7 * channels + 31 * width)
    x = generator.standard_normal((batch, *geometry.input_size, channels * groups))
    weight = generator.standard_normal((*geometry.kernel, channels, width * groups))
    out = convolution(x, weight, geometry, groups)
    assert out.shape == (batch, *geometry.output_size, width * groups)
    assert out.dtype == np.float64
    np.testing.assert_allclose(out, expected(x, weight, geometry, groups), rtol=1e-12, atol=1e-13)


@given(
    geometry=geometries(),
    batch=st.integers(0, 2),
    channels=st.integers(1, 3),
    width=st.integers(1, 3),
    groups=st.integers(1, 3),
)
def test_any_geometry(
    geometry: Geometry, batch: int, channels: int, width: int, groups: int
) -> None:
    check(geometry, batch, channels, width, groups)


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed(name: str) -> None:
    check(TRANSPOSED[name])


@pytest.mark.parametrize("name", [name for name in FORWARD if FORWARD[name].rank])
def test_forward(name: str) -> None:
    check(FORWARD[name])


def test_depthwise() -> None:
    check(TRANSPOSED["dcgan"], channels=1, width=2, groups=4)


def test_as_torch_says_it() -> None:
    """The public functions with their own padding and output_padding, nothing cut by hand."""
    x, weight = torch.randn(2, 6, 3, 5).double(), torch.randn(6, 4, 3, 4).double()
    options = {"stride": (2, 3), "padding": (1, 2), "dilation": (2, 1)}
    out = F.conv_transpose2d(x, weight, output_padding=(1, 2), **options)
    geometry = Geometry.transposed((3, 5), (3, 4), output_padding=(1, 2), **options)
    ours = convolution(x.permute(0, 2, 3, 1), weight.permute(2, 3, 0, 1), geometry)
    np.testing.assert_allclose(ours, out.permute(0, 2, 3, 1), rtol=1e-12, atol=1e-13)
    x, weight = torch.randn(2, 6, 9, 8).double(), torch.randn(4, 6, 3, 4).double()
    out = F.conv2d(x, weight, **options)
    geometry = Geometry.forward((9, 8), (3, 4), **options)
    ours = convolution(x.permute(0, 2, 3, 1), weight.permute(2, 3, 1, 0), geometry)
    np.testing.assert_allclose(ours, out.permute(0, 2, 3, 1), rtol=1e-12, atol=1e-13)


def test_no_axes_is_linear() -> None:
    generator = np.random.default_rng(1)
    x, weight = generator.standard_normal((4, 5)), generator.standard_normal((5, 3))
    ours = convolution(x, weight, FORWARD["linear"])
    np.testing.assert_allclose(ours, linear(x, weight), rtol=1e-13)
    weights = torch.from_numpy(weight.T.copy())
    np.testing.assert_allclose(ours, F.linear(torch.from_numpy(x), weights), rtol=1e-12, atol=1e-14)


def test_infinity_outside_does_not_leak() -> None:
    """A tap outside the map does not run, so it makes no 0 * infinity; NaN stays where it is."""
    geometry = TRANSPOSED["dcgan"]
    x, weight = np.ones((1, 4, 4, 2)), np.full((4, 4, 2, 1), np.inf)
    assert (convolution(x, weight, geometry) == np.inf).all()
    x[0, 0, 0, 0] = np.nan
    out = convolution(x, np.ones((4, 4, 2, 1)), geometry)
    assert np.isnan(out[0, :3, :3]).all()
    assert np.isfinite(out[0, 3:]).all()
    assert np.isfinite(out[0, :, 3:]).all()


@pytest.mark.parametrize(
    ("x", "weight", "groups", "message"),
    [
        pytest.param((2, 4, 5, 6), (4, 4, 6, 3), 1, r"x \(2, 4, 5, 6\)", id="map"),
        pytest.param((4, 4, 6), (4, 4, 6, 3), 1, r"x \(4, 4, 6\)", id="no_batch"),
        pytest.param((2, 4, 4, 6), (4, 3, 6, 3), 1, r"weight \(4, 3, 6, 3\)", id="kernel"),
        pytest.param((2, 4, 4, 6), (4, 4, 5, 3), 1, r"groups=1", id="channels"),
        pytest.param((2, 4, 4, 6), (4, 4, 3, 3), 2, r"groups=2", id="width_not_divided"),
        pytest.param((2, 4, 4, 6), (4, 4, 6, 3), 0, r"groups=0", id="no_groups"),
    ],
)
def test_refused(x: tuple[int, ...], weight: tuple[int, ...], groups: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        convolution(np.ones(x), np.ones(weight), TRANSPOSED["dcgan"], groups)


def test_linear_refused() -> None:
    with pytest.raises(ValueError, match=r"x \(2, 3\) and weight \(4, 5\)"):
        linear(np.ones((2, 3)), np.ones((4, 5)))


def test_matmul() -> None:
    a, b = torch.randn(2, 3, 4, 5).double(), torch.randn(2, 3, 5, 6).double()
    np.testing.assert_allclose(matmul(a, b), a @ b, rtol=1e-12, atol=1e-14)
    with pytest.raises(ValueError, match=r"a \(2, 4, 5\) and b \(1, 5, 6\)"):
        matmul(np.ones((2, 4, 5)), np.ones((1, 5, 6)))
