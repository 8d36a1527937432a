"""positions_convolution in bfloat16 against float64 of the rounded factors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.images import to_uint8
from kernels.geometry import Geometry
from kernels.native import library
from kernels.native.network import Form, Network, Space, Value, geometry_integers
from tests.cases.geometries import FORWARD, TRANSPOSED, geometries
from tests.cases.native import assert_close
from tests.cases.native_positions import Layer

# Products of bfloat16 are exact and summed in float32; a stored one is rounded to 2^-9.
SUM_BOUND = 1e-5
STORED_BOUND = 2.0**-8
DCGAN = Geometry.transposed((4, 4), (4, 4), 2, 1)
GEOMETRIES = {**TRANSPOSED, **{f"forward_{name}": g for name, g in FORWARD.items()}}
LAYERS = {
    name: replace(layer, bfloat16=True)
    for name, layer in {
        "linear_smallest": Layer(FORWARD["linear"], 1, 1),
        "linear_panels": Layer(FORWARD["linear"], 30, 257, activation="leaky_relu"),
        "first_layer": Layer(TRANSPOSED["first_layer"], 100, 70, activation="relu"),
        "dcgan": Layer(DCGAN, 64, 64, activation="relu"),
        "odd_channels": Layer(DCGAN, 33, 35, shifted=False),
        "three_channels": Layer(Geometry.transposed((9, 7), (4, 4), 2, 1), 17, 3),
        "image_layer": Layer(Geometry.transposed((18, 37), (4, 4), 2, 1), 70, 3),
        "image_forward": Layer(Geometry.forward((9, 40), (3, 3), 1, 1), 33, 3, activation="tanh"),
        "waveform": Layer(Geometry.transposed((130,), (25,), 4, 11, 1), 64, 1),
        "voxels": Layer(Geometry.transposed((3, 4, 17), (4, 4, 4), 2, 1), 40, 1),
        "depthwise": Layer(FORWARD["k3"], 32, 32, groups=32),
        "odd_groups": Layer(FORWARD["k3"], 9, 6, groups=3),
        "even_groups": Layer(DCGAN, 12, 40, groups=2),
    }.items()
}


@pytest.fixture(params=["avx512_bf16", "amx"])
def brain_set(request: pytest.FixtureRequest) -> str:
    """Each instruction set that multiplies bfloat16."""
    if request.param not in library.instruction_sets():
        pytest.skip(f"this processor, or this build, has no {request.param}")
    return str(request.param)


def check(layer: Layer, instruction_set: str, images: int = 3, **options: int) -> None:
    x = layer.inputs(images)
    actual, finite = layer.run(x, instruction_set, **options)
    bound = STORED_BOUND if layer.form == Form.PLAIN16 else SUM_BOUND
    assert_close(actual, *_last(layer.expected_bfloat16(x), bound))
    assert finite.all()


def _last(result: tuple[np.ndarray, float], bound: float) -> tuple[np.ndarray, float, float]:
    return result[0], bound, result[1]


@pytest.mark.parametrize("form", [Form.PLAIN, Form.PLAIN16], ids=lambda f: f.name)
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_layers(layer: Layer, form: Form, brain_set: str) -> None:
    check(replace(layer, form=form), brain_set)


@pytest.mark.parametrize("name", GEOMETRIES)
def test_geometries(name: str, brain_set: str) -> None:
    check(Layer(GEOMETRIES[name], 6, 5, bfloat16=True, form=Form.PLAIN16), brain_set)


@settings(max_examples=60, deadline=None)
@given(
    geometry=geometries(),
    groups=st.integers(1, 3),
    depth=st.integers(1, 5),
    width=st.integers(1, 18),
    images=st.integers(1, 6),
)
def test_any_small_layer(
    geometry: Geometry, groups: int, depth: int, width: int, images: int
) -> None:
    best = library.instruction_sets()[-1]
    if best not in ("avx512_bf16", "amx"):
        pytest.skip(f"{best} does not multiply bfloat16")
    layer = Layer(geometry, groups * depth, groups * width, groups, bfloat16=True)
    check(layer, best, images, capacity=6)


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *[(name, Form.PLAIN16) for name in ("dcgan", "three_channels", "linear_panels")],
        ("even_groups", Form.PLAIN16),
        *[(name, Form.PLAIN) for name in ("image_layer", "waveform", "voxels")],
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_bits_depend_on_the_inputs_alone(name: str, form: Form, brain_set: str) -> None:
    layer = replace(LAYERS[name], form=form)
    x = layer.inputs(7)
    together, _ = layer.run(x, brain_set, capacity=7)
    for threads, images in [(1, 7), (3, 7), (2, 5), (5, 1)]:
        alone, _ = layer.run(x[:images], brain_set, threads=threads, capacity=7)
        np.testing.assert_array_equal(alone, together[:images])


@pytest.mark.parametrize("name", ["three_channels", "dcgan", "image_layer"])
def test_images_are_the_rounded_floats(name: str, brain_set: str) -> None:
    layer = replace(LAYERS[name], form=Form.PLANES, activation="tanh")
    x = layer.inputs(3)
    planes, _ = layer.run(x, brain_set)
    images, finite = replace(layer, form=Form.IMAGES).run(x, brain_set)
    np.testing.assert_array_equal(images, to_uint8(planes, (-1.0, 1.0)))
    assert finite.all()


def test_absent_channels_are_zero(brain_set: str) -> None:
    # 35 channels are stored where 64 times NaN stood, and are read again in pairs and blocks.
    linear = geometry_integers(FORWARD["linear"])
    x = np.ones((3, 4), np.float32)
    garbage = np.full((3, 64), np.nan, np.float32)
    callers = [Value(Form.PLAIN, Space.INPUT, i, 1, n) for i, n in enumerate((4, 64))]
    source, before, middle = (
        Value(Form.PLAIN16, Space.ARENA, at, 1, n) for at, n in ((0, 4), (1024, 64), (1024, 35))
    )
    result = Value(Form.PLAIN, Space.OUTPUT, 0, 1, 1)
    with Network(3, 2048, threads=1, team=True, instruction_set=brain_set) as network:
        network.add("convert", [callers[0]], [source], integers=[1])
        network.add("convert", [callers[1]], [before], integers=[1])
        for values, weight in (
            ((source, middle), np.ones((4, 35))),
            ((middle, result), np.ones((35, 1))),
        ):
            network.add(
                "positions_convolution",
                [values[0]],
                [values[1]],
                integers=[*linear, *weight.shape, 1, 0],
                numbers=[0.0, -1.0, 1.0],
                arrays=[weight, None],
            )
        out = np.full((3, 1), np.nan, np.float32)
        network.run(3, [x, garbage], [out])
    np.testing.assert_array_equal(out, np.full((3, 1), 4.0 * 35.0))


@pytest.mark.parametrize("name", ["portable", "avx2", "avx512"])
def test_other_sets_refuse(name: str) -> None:
    if name not in library.instruction_sets():
        pytest.skip(f"this processor, or this build, has no {name}")
    layer = replace(LAYERS["dcgan"], form=Form.PLANES)
    with pytest.raises(ValueError, match=f"{name} does not multiply bfloat16"):
        layer.build(name)
