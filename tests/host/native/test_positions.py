"""positions_convolution in float32 against float64, on every instruction set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.images import to_uint8
from kernels.geometry import Geometry
from kernels.native import library
from kernels.native.network import ACTIVATIONS, Form
from tests.cases.geometries import FORWARD, TRANSPOSED, geometries
from tests.cases.native import assert_close
from tests.cases.native_positions import FLOAT_BOUND, Layer

GEOMETRIES = {**TRANSPOSED, **{f"forward_{name}": g for name, g in FORWARD.items()}}
DCGAN = Geometry.transposed((4, 4), (4, 4), 2, 1)
LINEAR = FORWARD["linear"]
LAYERS = {
    "linear_smallest": Layer(LINEAR, 1, 1),
    "linear_panels": Layer(LINEAR, 30, 257, activation="leaky_relu"),
    "linear_halves": Layer(LINEAR, 33, 200, activation="tanh", halves=True),
    "first_layer_halves": Layer(TRANSPOSED["first_layer"], 100, 70, halves=True),
    "first_layer": Layer(TRANSPOSED["first_layer"], 100, 70, activation="relu"),
    "dcgan": Layer(DCGAN, 64, 48, activation="relu"),
    "whole_panels": Layer(DCGAN, 24, 64, activation="leaky_relu"),
    "phases_beside": Layer(Geometry.transposed((5, 7), (2, 2), 2), 9, 16, activation="relu"),
    "wide_phases": Layer(Geometry.transposed((5, 6), (16, 16), 8), 9, 21, activation="tanh"),
    "no_shift": Layer(DCGAN, 5, 33, shifted=False, activation="sigmoid"),
    "three_channels": Layer(Geometry.transposed((9, 7), (4, 4), 2, 1), 17, 3, activation="tanh"),
    "one_channel": Layer(Geometry.transposed((8, 8), (4, 4), 2, 1), 16, 1, activation="tanh"),
    "one_channel_k5": Layer(Geometry.transposed((5, 6), (5, 5), 2, 2, 1), 8, 1),
    "one_channel_forward": Layer(Geometry.forward((11, 13), (7, 7), 1, 3), 6, 1),
    "forward_from_one": Layer(Geometry.forward((12, 12), (4, 4), 2, 1), 1, 32),
    "vocoder": Layer(Geometry.transposed((9,), (16,), 8, 4), 20, 1, activation="tanh"),
    "volume_few": Layer(Geometry.transposed((2, 3, 2), (4, 4, 4), 2, 1), 9, 2),
    "image_layer": Layer(Geometry.transposed((18, 21), (4, 4), 2, 1), 40, 3, activation="tanh"),
    "image_forward": Layer(Geometry.forward((14, 19), (3, 3), 1, 1), 33, 3, activation="sigmoid"),
    "image_gaps": Layer(Geometry.transposed((7, 15), (2, 3), (4, 5), 0, (2, 1)), 20, 3),
    "image_dilated": Layer(Geometry.transposed((9, 13), (3, 4), 2, 1, 1, (3, 1)), 20, 3),
    "super_resolution": Layer(Geometry.transposed((13, 25), (9, 9), 3, 4, 2), 20, 1),
    "waveform": Layer(Geometry.transposed((130,), (25,), 4, 11, 1), 30, 1, activation="tanh"),
    "waveform_stride_2": Layer(Geometry.transposed((130,), (11,), 2, 5, 1), 30, 1),
    "waveform_stereo": Layer(Geometry.transposed((130,), (25,), 4, 11, 1), 30, 2),
    "voxels": Layer(Geometry.transposed((5, 6, 13), (4, 4, 4), 2, 1), 24, 1),
    "long_waveform": Layer(Geometry.transposed((20000,), (8,), 4, 2), 24, 3),
    "large_image": Layer(Geometry.transposed((60, 300), (4, 4), 2, 1), 6, 3),
    "depthwise": Layer(FORWARD["k3"], 19, 19, groups=19),
    "groups": Layer(DCGAN, 12, 30, groups=3, activation="relu"),
    "empty_input": Layer(Geometry("forward", (0,), (2,), (3,), (1,), (1,), (1,)), 3, 4),
}


def check(layer: Layer, instruction_set: str, images: int = 3, **options: int) -> None:
    x = layer.inputs(images)
    actual, finite = layer.run(x, instruction_set, **options)
    expected, scale = layer.expected(x)
    assert_close(actual, expected, FLOAT_BOUND, scale)
    assert finite.all()


@pytest.mark.parametrize("name", GEOMETRIES)
def test_geometries(name: str, instruction_set: str) -> None:
    check(Layer(GEOMETRIES[name], 6, 5), instruction_set)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_layers(layer: Layer, instruction_set: str) -> None:
    check(layer, instruction_set)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations(activation: str, instruction_set: str) -> None:
    check(Layer(DCGAN, 8, 20, activation=activation), instruction_set)


@settings(max_examples=60, deadline=None)
@given(
    geometry=geometries(),
    groups=st.integers(1, 3),
    depth=st.integers(1, 5),
    width=st.integers(1, 18),
    images=st.integers(1, 3),
)
def test_any_small_layer(
    geometry: Geometry, groups: int, depth: int, width: int, images: int
) -> None:
    layer = Layer(geometry, groups * depth, groups * width, groups)
    check(layer, library.instruction_sets()[-1], images)


@pytest.mark.parametrize(
    "name",
    [
        *("whole_panels", "phases_beside", "wide_phases"),
        *("dcgan", "three_channels", "linear_panels", "groups", "volume_few", "image_layer"),
        *(
            "linear_halves",
            "first_layer_halves",
            "image_gaps",
            "super_resolution",
            "waveform",
            "voxels",
        ),
    ],
)
def test_bits_depend_on_the_inputs_alone(name: str, instruction_set: str) -> None:
    layer = LAYERS[name]
    x = layer.inputs(7)
    together, _ = layer.run(x, instruction_set, capacity=8)
    for threads, capacity, images in [(1, 1, 7), (3, 3, 7), (2, 8, 5), (5, 8, 1)]:
        alone, _ = layer.run(x[:images], instruction_set, threads=threads, capacity=capacity)
        np.testing.assert_array_equal(alone, together[:images])


@pytest.mark.parametrize(
    "name", ["three_channels", "one_channel", "dcgan", "groups", "image_layer"]
)
@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (-0.3, 2.7)], ids=str)
def test_images_are_the_rounded_floats(
    name: str, value_range: tuple[float, float], instruction_set: str
) -> None:
    layer = replace(LAYERS[name], form=Form.PLANES, value_range=value_range)
    x = layer.inputs(3)
    planes, _ = layer.run(x, instruction_set)
    images, finite = replace(layer, form=Form.IMAGES).run(x, instruction_set)
    np.testing.assert_array_equal(images, to_uint8(planes, value_range))
    assert finite.all()
    plain, _ = replace(layer, form=Form.PLAIN).run(x, instruction_set)
    np.testing.assert_array_equal(np.moveaxis(planes, 1, -1), plain)


@pytest.mark.parametrize("form", [Form.PLAIN, Form.PLANES, Form.IMAGES], ids=lambda f: f.name)
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("name", "activation"),
    [("three_channels", "none"), ("whole_panels", "none"), ("phases_beside", "leaky_relu")],
)
def test_images_that_are_not_finite_are_told(
    name: str, activation: str, form: Form, value: float, instruction_set: str
) -> None:
    layer = replace(LAYERS[name], activation=activation, form=form)
    x = layer.inputs(4)
    x[2, 3, 3, 0] = value
    _, finite = layer.run(x, instruction_set, threads=2)
    assert finite.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (replace(LAYERS["dcgan"], groups=64, out_channels=65, in_channels=64), "multiples"),
        (replace(LAYERS["dcgan"], form=Form.INDEX), "output is none of"),
        (replace(LAYERS["dcgan"], form=Form.IMAGES, value_range=(1.0, 1.0)), "low is not less"),
    ],
    ids=["groups", "form", "range"],
)
def test_what_does_not_fit_is_refused(layer: Layer, message: str, best_set: str) -> None:
    with pytest.raises(ValueError, match=message):
        layer.build(best_set)
