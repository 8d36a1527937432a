"""lanes_convolution by Winograd: within its own error budget, on tiles that no band moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from kernels.bounds import WINOGRAD_BUDGET, exceeds, tolerance
from kernels.geometry import Geometry
from kernels.native import library
from tests.cases.convolutions_native import Layer, bands, run_lanes
from tests.cases.geometries import FORWARD, TRANSPOSED

WINOGRAD = 2
UP = TRANSPOSED["dcgan"]

LAYERS = {
    "whole-tiles": Layer(Geometry.transposed((8, 8), (4, 4), 2, 1), 24, 16),
    "parts-of-tiles": Layer(TRANSPOSED["dcgan_odd_map"], 5, 9),
    "one-tile": Layer(UP, 300, 20),
    "no-padding": Layer(Geometry.transposed((5, 6), (4, 4), 2, 0), 4, 5),
    "output-padding": Layer(Geometry.transposed((5, 6), (4, 4), 2, 1, 1), 4, 5),
    "high-side-cut": Layer(TRANSPOSED["high_side_cut"], 6, 7),
    "past-all-taps": Layer(TRANSPOSED["past_all_taps"], 6, 7),
    "groups": Layer(UP, 6, 10, groups=2),
    "two-pairs": Layer(Geometry.transposed((9, 6), (8, 8), 2, 3), 5, 6),
    "pairs-and-a-tap": Layer(Geometry.transposed((7, 10), (5, 7), 1, 2), 5, 6),
    "many-pairs": Layer(Geometry.transposed((21,), (25,), 4, 11, 1), 20, 9),
    "pairs-beyond-the-map": Layer(Geometry.transposed((2,), (25,), 4, 11, 1), 6, 7),
    "forward-pairs": Layer(FORWARD["k3"], 6, 7),
    "forward": Layer(Geometry.forward((9, 8), (2, 2), 1, 1), 6, 7),
    "forward-one-axis": Layer(Geometry.forward((9, 8), (3, 2), 1, 1), 6, 7),
    "some-phases-k3": Layer(TRANSPOSED["k3_s2_output_padding"], 6, 14),
    "some-phases-k5": Layer(TRANSPOSED["k5_s2"], 6, 14),
    "one-axis": Layer(Geometry.transposed((21,), (4,), 2, 1), 8, 6),
    "vocoder": Layer(TRANSPOSED["vocoder"], 12, 6),
    "volume": Layer(Geometry.transposed((3, 5, 4), (4, 4, 4), 2, 1), 6, 5),
}

QUICKER = {
    "a-pair": Geometry.transposed((8, 8), (4, 4), 2, 1),
    "pairs-along-an-axis": Geometry.transposed((32,), (25,), 4, 11, 1),
    "pairs-along-both": Geometry.transposed((8, 8), (5, 5), 2, 2, 1),
}


def check(layer: Layer, x: np.ndarray, y: np.ndarray) -> None:
    weight, shift = layer.arrays()
    assert weight is not None
    expected, magnitude = layer.reference(x, weight, shift)
    allowed = tolerance(
        expected,
        np.full_like(magnitude, magnitude.max(initial=0.0)),
        "fp32",
        "fp32",
        depth=layer.depth,
        activation=layer.activation,
        slope=layer.alpha,
        algorithm="winograd_4_2",
    )
    wrong = exceeds(y, expected, allowed)
    assert wrong is None, wrong


@pytest.mark.parametrize("name", LAYERS)
def test_layers_within_the_budget(name: str, instruction_set: str) -> None:
    layer = LAYERS[name]
    x = layer.inputs(5)
    y = run_lanes(layer, x, instruction_set=instruction_set, algorithm=WINOGRAD)
    check(layer, x, y)
    weight, shift = layer.arrays()
    assert weight is not None
    expected, _ = layer.reference(x, weight, shift)
    assert np.linalg.norm(y - expected) <= WINOGRAD_BUDGET * np.linalg.norm(expected)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "sigmoid"])
def test_activations(activation: str, instruction_set: str) -> None:
    layer = Layer(UP, 6, 5, activation=activation)
    x = layer.inputs(3)
    y = run_lanes(layer, x, instruction_set=instruction_set, algorithm=WINOGRAD)
    check(layer, x, y)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("threads", [1, 3])
def test_bands_and_teams_change_no_bit(name: str, threads: int, best_set: str) -> None:
    layer = LAYERS[name]
    x = layer.inputs(20)
    options = {"instruction_set": best_set, "algorithm": WINOGRAD}
    whole = run_lanes(layer, x, **options)
    banded = run_lanes(layer, x, banded=True, threads=threads, team=threads > 1, **options)
    np.testing.assert_array_equal(whole, banded)


def test_bands_within_a_tile_are_refused(best_set: str) -> None:
    layer = LAYERS["whole-tiles"]
    options = {"instruction_set": best_set, "algorithm": WINOGRAD}
    with pytest.raises(ValueError, match="8 rows that go together"):
        run_lanes(layer, layer.inputs(1), pieces=[(0, 4), (4, 16)], **options)
    assert bands(16, 8) == [(8, 16), (0, 8)]


@pytest.mark.parametrize("images", [1, 17, 40, 70])
def test_an_image_has_the_same_bits_among_any_number(images: int, instruction_set: str) -> None:
    layer = Layer(UP, 70, 11, activation="relu")
    x = layer.inputs(70)
    options = {"instruction_set": instruction_set, "algorithm": WINOGRAD}
    whole = run_lanes(layer, x, capacity=96, **options)
    np.testing.assert_array_equal(whole[:images], run_lanes(layer, x[:images], **options))


@pytest.mark.parametrize("geometry", QUICKER.values(), ids=QUICKER)
def test_best_takes_winograd_where_channels_are_many(geometry: Geometry, best_set: str) -> None:
    layer = Layer(geometry, 64, 64)
    x = layer.inputs(2)
    best, direct, winograd = (
        run_lanes(layer, x, instruction_set=best_set, algorithm=algorithm) for algorithm in range(3)
    )
    np.testing.assert_array_equal(best, winograd)
    assert not np.array_equal(best, direct)


@pytest.mark.parametrize("channels", [256, 1024])
@pytest.mark.parametrize("name", ["k3", "k7"])
def test_best_stays_within_the_budget_where_sums_are_long(
    name: str, channels: int, best_set: str
) -> None:
    layer = Layer(FORWARD[name], channels, 32)
    x = layer.inputs(1)
    y = run_lanes(layer, x, instruction_set=best_set, algorithm=0)
    weight, shift = layer.arrays()
    assert weight is not None
    expected, _ = layer.reference(x, weight, shift)
    assert np.linalg.norm(y - expected) <= WINOGRAD_BUDGET * np.linalg.norm(expected)


@pytest.mark.parametrize("name", ["dilated_1d", "k4_s2"])
def test_what_has_no_pair_of_taps_is_refused(name: str, best_set: str) -> None:
    layer = Layer(FORWARD[name], 4, 4)
    with pytest.raises(ValueError, match="two neighbouring taps"):
        run_lanes(layer, layer.inputs(1), instruction_set=best_set, algorithm=WINOGRAD)


@st.composite
def paired(draw: st.DrawFn) -> Geometry:
    """Transposed geometries with a pair of taps or more in some phase of the last axis."""
    rank = draw(st.integers(1, 3))
    stride = tuple(draw(st.integers(1, 3)) for _ in range(rank))
    kernel = tuple(
        draw(st.integers(s + (axis == rank - 1), 4 * s)) for axis, s in enumerate(stride)
    )
    size = tuple(draw(st.integers(1, 6 if rank < 3 else 3)) for _ in range(rank))
    padding = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    output = tuple(draw(st.integers(1, 14)) for _ in range(rank))
    return Geometry("transposed", size, output, kernel, stride, padding, (1,) * rank)


@settings(max_examples=60)
@given(paired(), st.integers(1, 9), st.integers(1, 14), st.integers(0, 4))
def test_any_small_layer(geometry: Geometry, into: int, out: int, which: int) -> None:
    names = library.instruction_sets()
    layer = Layer(geometry, into, out)
    x = layer.inputs(2)
    options = {"capacity": 16, "instruction_set": names[which % len(names)]}
    try:
        y = run_lanes(layer, x, algorithm=WINOGRAD, banded=True, **options)
    except ValueError:
        # The output ends before the phase that has a pair.
        assume(False)
    check(layer, x, y)
