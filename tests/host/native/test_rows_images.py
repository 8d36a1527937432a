"""rows_images on AMX and AVX512_BF16: uint8 and float32 images straight from the last layer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.geometry import Geometry
from kernels.native.library import instruction_sets
from kernels.native.network import Form
from tests.cases.convolutions_native import Layer
from tests.cases.geometries import FORWARD, TRANSPOSED, geometries
from tests.cases.native_rows import SETS, check, inputs, run_rows

LINEAR = FORWARD["linear"]
UP = TRANSPOSED["dcgan"]

LAYERS = {
    "dcgan": Layer(TRANSPOSED["dcgan_odd_map"], 40, 3, activation="tanh"),
    "grey": Layer(TRANSPOSED["dcgan_odd_map"], 8, 1, activation="sigmoid"),
    "alpha": Layer(UP, 8, 4, activation="tanh"),
    "five-channels": Layer(UP, 8, 5),
    "many-channels": Layer(UP, 8, 37),
    "k3": Layer(FORWARD["k3"], 8, 3, activation="tanh"),
    "k7": Layer(FORWARD["k7"], 8, 3, activation="tanh"),
    "k7-grey": Layer(FORWARD["k7"], 70, 1),
    "k5-s2": Layer(TRANSPOSED["k5_s2"], 8, 3, activation="tanh"),
    "k1": Layer(FORWARD["k1"], 64, 3, activation="sigmoid"),
    "kernel-below-stride": Layer(TRANSPOSED["kernel_below_stride"], 8, 3),
    "dilated": Layer(TRANSPOSED["dilated"], 8, 3),
    "dilated-forward": Layer(FORWARD["dilated_1d"], 8, 2),
    "high-side-cut": Layer(TRANSPOSED["high_side_cut"], 8, 3),
    "past-all-taps": Layer(TRANSPOSED["past_all_taps"], 8, 3, activation="leaky_relu"),
    "audio": Layer(TRANSPOSED["vocoder"], 8, 1, activation="tanh"),
    "audio-long-stride": Layer(Geometry.transposed((5,), (90,), 45, 20), 8, 1, activation="tanh"),
    "audio-k7": Layer(Geometry.forward((300,), (7,), 1, 3), 8, 1, activation="tanh"),
    "voxels": Layer(TRANSPOSED["volume"], 8, 1, activation="sigmoid"),
    "groups": Layer(UP, 6, 3, groups=3),
    "linear": Layer(LINEAR, 40, 50, activation="sigmoid"),
    "linear-wide": Layer(LINEAR, 100, 147, activation="tanh"),
    "linear-narrow": Layer(LINEAR, 33, 11, activation="tanh"),
    "one-position": Layer(Geometry.forward((4, 4), (4, 4)), 8, 40),
    "linear-of-positions": Layer(LINEAR, 40, 3, positions=(7,)),
}
TYPES = {Form.IMAGES: "uint8", Form.PLAIN: "fp32", Form.PLANES: "fp32"}


@pytest.fixture(params=SETS)
def isa(request):
    if request.param not in instruction_sets():
        pytest.skip(f"this processor, or this build, has no {request.param}")
    return request.param


def as_stored(layer: Layer, y: np.ndarray, out: Form) -> np.ndarray:
    """Planes with the channels last."""
    if out != Form.PLANES:
        return y
    return y.transpose(0, 2, 1).reshape(len(y), *layer.output_shape)


@pytest.mark.parametrize("out", TYPES, ids=lambda form: form.name)
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, out: Form, isa: str) -> None:
    layer = LAYERS[name]
    x = inputs(layer, 19)
    y, finite = run_rows(layer, x, isa, out=out)
    assert finite.all()
    check(layer, x, as_stored(layer, y, out), TYPES[out])


@pytest.mark.parametrize("limits", [(-1.0, 1.0), (0.0, 1.0), (-2.5, 2.5), (0.0, 255.0)])
def test_bytes_are_those_of_the_engine(limits: tuple[float, float], isa: str) -> None:
    from engine.images import to_uint8

    layer = Layer(UP, 32, 3)
    x = inputs(layer, 40)
    floats, _ = run_rows(layer, x, isa, out=Form.PLAIN)
    made, _ = run_rows(layer, x, isa, out=Form.IMAGES, limits=limits)
    np.testing.assert_array_equal(made, to_uint8(floats.transpose(0, 3, 1, 2), limits))
    assert made.min() == 0


@pytest.mark.parametrize("images", [1, 16, 17, 33, 65])
@pytest.mark.parametrize("capacity", [16, 32, 48, 64])
def test_images(images: int, capacity: int, isa: str) -> None:
    layer = LAYERS["dcgan"]
    x = inputs(layer, images)
    y, _ = run_rows(layer, x, isa, capacity=capacity, out=Form.IMAGES)
    check(layer, x, y, "uint8")


@pytest.mark.parametrize("out", TYPES, ids=lambda form: form.name)
@pytest.mark.parametrize("layer", [Layer(UP, 8, 3, activation="relu"), LAYERS["linear-wide"]])
def test_images_that_are_not_finite_are_marked(layer: Layer, out: Form, isa: str) -> None:
    x = inputs(layer, 40)
    clean, _ = run_rows(layer, x, isa, out=out)
    numbers = x.reshape(40, -1)
    # Infinities meet weights of both signs: what tanh makes of NaN is NaN.
    numbers[3, 1] = np.nan
    numbers[18, :8] = np.inf
    numbers[37, -8:] = -np.inf
    dirty, finite = run_rows(layer, x, isa, out=out)
    np.testing.assert_array_equal(np.flatnonzero(~finite), [3, 18, 37])
    np.testing.assert_array_equal(dirty[finite], clean[finite])


def test_infinity_that_tanh_ends_is_finite(isa: str) -> None:
    # Only the outputs that meet the one input: neighbours in a product would see inf * 0.
    layer = Layer(LINEAR, 4, 3, activation="tanh")
    x = inputs(layer, 2)
    x[1, 0] = np.inf
    y, finite = run_rows(layer, x, isa, out=Form.PLAIN)
    assert finite.all()
    np.testing.assert_allclose(np.abs(y[1]), 1.0, atol=1e-6)


@pytest.mark.parametrize("out", TYPES, ids=lambda form: form.name)
@pytest.mark.parametrize(
    "name", ["dcgan", "k7", "audio", "audio-long-stride", "voxels", "linear", "linear-wide"]
)
def test_bits_depend_on_nothing_else(name: str, out: Form, isa: str) -> None:
    layer = LAYERS[name]
    x = inputs(layer, 33)
    whole, _ = run_rows(layer, x, isa, out=out)
    for other in (
        run_rows(layer, x, isa, out=out, banded=True),
        run_rows(layer, x, isa, out=out, capacity=16),
        run_rows(layer, x, isa, out=out, capacity=64, threads=3, team=True),
    ):
        np.testing.assert_array_equal(other[0], whole)
    np.testing.assert_array_equal(run_rows(layer, x[5:6], isa, out=out)[0], whole[5:6])


@settings(max_examples=25, deadline=None)
@given(
    geometry=geometries(),
    channels=st.tuples(st.integers(1, 40), st.integers(1, 5)),
    out=st.sampled_from(list(TYPES)),
    banded=st.booleans(),
)
def test_any_geometry(
    geometry: Geometry, channels: tuple[int, int], out: Form, banded: bool
) -> None:
    layer = Layer(geometry, *channels)
    x = inputs(layer, 3)
    for name in SETS:
        if name in instruction_sets():
            y, _ = run_rows(layer, x, name, out=out, banded=banded)
            check(layer, x, as_stored(layer, y, out), TYPES[out])


def test_refusals(isa: str) -> None:
    layer = Layer(UP, 8, 3)
    x = inputs(layer, 2)
    with pytest.raises(ValueError, match="low is not less than high"):
        run_rows(layer, x, isa, out=Form.IMAGES, limits=(1.0, 1.0))
