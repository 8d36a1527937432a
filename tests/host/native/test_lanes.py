"""lanes_convolution against float64: geometries, channels, epilogues, images, bands, teams."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.bounds import exceeds, tolerance
from kernels.geometry import Geometry
from kernels.native import library
from tests.cases.convolutions_native import Layer, run_lanes
from tests.cases.geometries import FORWARD, TRANSPOSED, geometries

DIRECT = 1
LINEAR = FORWARD["linear"]
UP = TRANSPOSED["dcgan"]

LAYERS = {
    "linear": Layer(LINEAR, 100, 37),
    "linear-of-positions": Layer(LINEAR, 9, 5, positions=(3, 2)),
    "first-layer": Layer(TRANSPOSED["first_layer"], 20, 24, activation="relu"),
    "one-channel": Layer(UP, 1, 1),
    "image": Layer(UP, 16, 3, activation="tanh"),
    "channels-odd": Layer(UP, 7, 13, activation="sigmoid"),
    "depth-in-parts": Layer(UP, 150, 9, activation="leaky_relu"),
    "no-shift": Layer(UP, 8, 8, shift=False),
    "groups": Layer(UP, 6, 10, groups=2),
    "depthwise": Layer(FORWARD["k3"], 5, 5, groups=5, activation="relu"),
    "depthwise-up": Layer(UP, 5, 10, groups=5),
    "audio": Layer(TRANSPOSED["vocoder"], 12, 1, activation="tanh"),
    "voxels": Layer(TRANSPOSED["volume"], 6, 2),
}


def check(layer: Layer, x: np.ndarray, y: np.ndarray) -> None:
    weight, shift = layer.arrays()
    assert weight is not None
    expected, magnitude = layer.reference(x, weight, shift)
    allowed = tolerance(
        expected,
        magnitude,
        "fp32",
        "fp32",
        depth=layer.depth,
        activation=layer.activation,
        slope=layer.alpha,
    )
    wrong = exceeds(y, expected, allowed)
    assert wrong is None, wrong


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, instruction_set: str) -> None:
    layer = LAYERS[name]
    x = layer.inputs(5)
    check(layer, x, run_lanes(layer, x, instruction_set=instruction_set, algorithm=DIRECT))


@pytest.mark.parametrize(
    "geometry",
    [*TRANSPOSED.values(), *FORWARD.values()],
    ids=[*(f"transposed-{name}" for name in TRANSPOSED), *(f"forward-{name}" for name in FORWARD)],
)
def test_geometries(geometry: Geometry, best_set: str) -> None:
    for channels in (3, 18):
        layer = Layer(geometry, 5, channels)
        x = layer.inputs(3)
        check(layer, x, run_lanes(layer, x, instruction_set=best_set, algorithm=DIRECT))


@pytest.mark.parametrize(
    ("images", "capacity"), [(1, 16), (17, 48), (48, 48), (64, 80), (80, 80), (120, 16)]
)
def test_an_image_has_the_same_bits_among_any_number(
    images: int, capacity: int, instruction_set: str
) -> None:
    layer = Layer(UP, 70, 11, activation="tanh")
    x = layer.inputs(120)
    whole = run_lanes(layer, x, capacity=48, instruction_set=instruction_set)
    some = run_lanes(layer, x[:images], capacity=capacity, instruction_set=instruction_set)
    np.testing.assert_array_equal(whole[:images], some)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("threads", [2, 5])
def test_bands_and_teams_change_no_bit(name: str, threads: int, best_set: str) -> None:
    layer = LAYERS[name]
    x = layer.inputs(20)
    whole = run_lanes(layer, x, instruction_set=best_set)
    banded = run_lanes(layer, x, instruction_set=best_set, banded=True)
    np.testing.assert_array_equal(whole, banded)
    shared = run_lanes(layer, x, instruction_set=best_set, banded=True, threads=threads, team=True)
    np.testing.assert_array_equal(whole, shared)


@settings(max_examples=60)
@given(
    geometries(),
    st.integers(1, 9),
    st.integers(1, 20),
    st.sampled_from(["none", "relu", "tanh"]),
    st.integers(0, 4),
)
def test_any_small_layer(
    geometry: Geometry, into: int, out: int, activation: str, which: int
) -> None:
    names = library.instruction_sets()
    layer = Layer(geometry, into, out, activation=activation)
    x = layer.inputs(2)
    options = {"instruction_set": names[which % len(names)], "algorithm": DIRECT}
    check(layer, x, run_lanes(layer, x, capacity=16, **options))


def refused(layer: Layer, message: str, **options: int) -> None:
    with pytest.raises(ValueError, match=message):
        run_lanes(layer, np.zeros((1, *layer.input_shape), np.float32), **options)  # type: ignore[arg-type]


def test_what_does_not_fit_is_refused(best_set: str) -> None:
    options = {"instruction_set": best_set}
    refused(Layer(UP, 3, 4, groups=2), "groups do not divide", **options)
    refused(Layer(UP, 3, 4), "multiple of 16", capacity=24, **options)
    refused(Layer(UP, 3, 4), "integer", algorithm=3, **options)
