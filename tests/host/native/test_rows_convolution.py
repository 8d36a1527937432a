"""rows_convolution on AMX and AVX512_BF16 against float64 sums of the rounded operands."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.geometry import Geometry
from kernels.native.library import instruction_sets
from kernels.native.network import ACTIVATIONS
from tests.cases.convolutions_native import Layer
from tests.cases.geometries import FORWARD, TRANSPOSED, geometries
from tests.cases.native_rows import SETS, check, inputs, run_rows

LINEAR = FORWARD["linear"]
UP = TRANSPOSED["dcgan"]

LAYERS = {
    **{f"transposed-{name}": Layer(g, 7, 5) for name, g in TRANSPOSED.items()},
    **{f"forward-{name}": Layer(g, 7, 5, activation="relu") for name, g in FORWARD.items()},
    "one-channel": Layer(UP, 1, 1),
    "block-and-one": Layer(UP, 33, 33),
    "half-blocks": Layer(UP, 48, 80),
    "whole-blocks": Layer(UP, 64, 64, activation="leaky_relu"),
    "deep": Layer(LINEAR, 300, 40, shift=False),
    "linear-of-positions": Layer(LINEAR, 40, 24, positions=(5,)),
    "groups": Layer(FORWARD["k3_s2_odd"], 6, 4, groups=2),
    "depthwise": Layer(FORWARD["k3_s2_odd"], 64, 64, groups=64),
    "groups-across-blocks": Layer(FORWARD["k3_s2_odd"], 70, 35, groups=35),
    "groups-of-blocks": Layer(UP, 128, 64, groups=4),
    "groups-wider-than-blocks": Layer(UP, 96, 96, groups=2),
    # The padded channels of sigmoid(0) would be 0.5: the next layer must see zeros.
    **{f"channels-20-{kind}": Layer(UP, 8, 20, activation=kind) for kind in ACTIVATIONS},
}


@pytest.fixture(params=SETS)
def isa(request):
    if request.param not in instruction_sets():
        pytest.skip(f"this processor, or this build, has no {request.param}")
    return request.param


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, isa: str) -> None:
    layer = LAYERS[name]
    x = inputs(layer, 19)
    check(layer, x, run_rows(layer, x, isa)[0])


@pytest.mark.parametrize("images", [1, 16, 17, 33, 65])
@pytest.mark.parametrize("capacity", [16, 32, 48, 64])
def test_images(images: int, capacity: int, isa: str) -> None:
    layer = Layer(TRANSPOSED["dcgan_odd_map"], 6, 40)
    x = inputs(layer, images)
    check(layer, x, run_rows(layer, x, isa, capacity=capacity)[0])


def test_padded_channels_are_zero(isa: str) -> None:
    layer = Layer(LINEAR, 20, 20, activation="sigmoid")
    x = inputs(layer, 2)
    y, _ = run_rows(layer, x, isa, seen_channels=32)
    check(layer, x, y[..., :20])
    assert (y[..., 20:] == 0).all()


def test_nan_and_infinity_stay_in_their_image(isa: str) -> None:
    layer = Layer(UP, 8, 8, activation="relu")
    x = inputs(layer, 20)
    clean, _ = run_rows(layer, x, isa)
    x[3, 1, 2, 4] = np.nan
    x[18, 0, 0, 0] = np.inf
    dirty, _ = run_rows(layer, x, isa)
    rest = np.setdiff1d(np.arange(20), [3, 18])
    np.testing.assert_array_equal(dirty[rest], clean[rest])
    assert np.isnan(dirty[3]).any(), "max(NaN, 0) must be NaN"
    assert np.isinf(dirty[18]).any()


@pytest.mark.parametrize(
    "name", ["dcgan_odd_map", "k3_s2_output_padding", "vocoder", "volume", "past_all_taps"]
)
def test_bits_depend_on_nothing_else(name: str, isa: str) -> None:
    layer = Layer(TRANSPOSED[name], 40, 50)
    x = inputs(layer, 33)
    whole, _ = run_rows(layer, x, isa)
    for other in (
        run_rows(layer, x, isa, banded=True),
        run_rows(layer, x, isa, capacity=16),
        run_rows(layer, x, isa, capacity=64, threads=3, team=True),
    ):
        np.testing.assert_array_equal(other[0], whole)
    np.testing.assert_array_equal(run_rows(layer, x[5:6], isa)[0], whole[5:6])


@settings(max_examples=25, deadline=None)
@given(geometry=geometries(), channels=st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_any_geometry(geometry: Geometry, channels: tuple[int, int]) -> None:
    layer = Layer(geometry, *channels)
    x = inputs(layer, 3)
    for name in SETS:
        if name in instruction_sets():
            check(layer, x, run_rows(layer, x, name)[0])


def test_refusals(isa: str) -> None:
    layer = Layer(UP, 8, 8)
    x = inputs(layer, 2)
    with pytest.raises(ValueError, match="multiple of 16"):
        run_rows(layer, x, isa, capacity=24)
    with pytest.raises(ValueError, match="does not multiply bfloat16"):
        run_rows(layer, x, "avx512")
    with pytest.raises(ValueError, match="groups"):
        run_rows(Layer(UP, 8, 8, groups=3), x, isa)
