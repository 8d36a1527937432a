"""bfloat16 on AMX tiles whose rows are loaded as they lie: padded maps, strip by strip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.core.alignment import empty_aligned
from kernels.geometry import Geometry
from kernels.native import library
from kernels.native.network import Form
from tests.cases.native import assert_close
from tests.cases.native_positions import Layer

# As in test_positions_bfloat16.
SUM_BOUND = 1e-5
STORED_BOUND = 2.0**-8
# 32 and more units of the outermost axis, over all images: fewer are gathered.
LAYERS = {
    name: replace(layer, bfloat16=True)
    for name, layer in {
        "lines": Layer(Geometry.transposed((33, 32), (4, 4), 2, 1), 40, 48, activation="relu"),
        "going_on": Layer(Geometry.transposed((33, 21), (4, 4), 2, 1), 40, 33),
        "narrow": Layer(Geometry.transposed((40, 3), (5, 5), 2, 2, 1), 24, 17, shifted=False),
        "stride_3": Layer(Geometry.transposed((34, 18), (5, 4), (3, 2), (1, 1), (1, 0)), 33, 20),
        "gaps": Layer(Geometry.transposed((33, 17), (1, 2), (2, 3), 0, (1, 1)), 20, 20),
        "dilated": Layer(Geometry.transposed((36, 19), (3, 3), 1, 2, 0, 2), 32, 16),
        "few_in_line": Layer(Geometry.forward((35, 2), (3, 3), (1, 3), (1, 4), (1, 2)), 16, 16),
        "forward": Layer(Geometry.forward((35, 20), (3, 3), 1, 1), 32, 40),
        "forward_5x3": Layer(Geometry.forward((35, 20), (5, 3), 1, (1, 2)), 18, 18),
        "waveform": Layer(Geometry.transposed((700,), (16,), 8, 4), 48, 32),
        "waveform_short": Layer(Geometry.transposed((40,), (4,), 2, 1), 32, 16),
        "voxels": Layer(Geometry.transposed((33, 5, 6), (4, 4, 4), 2, 1), 32, 16),
        "apart": Layer(Geometry.transposed((33, 16), (2, 2), 2), 64, 24),
        "apart_3d": Layer(Geometry.transposed((34, 4, 5), (2, 2, 2), 2), 33, 17),
        "panels": Layer(Geometry.transposed((32, 10), (4, 4), 2, 1), 70, 90),
        "deep": Layer(Geometry.transposed((36, 30), (4, 4), 2, 1), 300, 32),
    }.items()
}


@pytest.fixture(autouse=True)
def amx() -> None:
    if "amx" not in library.instruction_sets():
        pytest.skip("this processor, or this build, has no amx")


@pytest.mark.parametrize("form", [Form.PLAIN, Form.PLAIN16, Form.PLANES], ids=lambda f: f.name)
@pytest.mark.parametrize("name", LAYERS)
def test_layers(name: str, form: Form) -> None:
    layer = replace(LAYERS[name], form=form)
    x = layer.inputs(2)
    actual, finite = layer.run(x, "amx", capacity=2, threads=2)
    result, scale = layer.expected_bfloat16(x)
    result = np.moveaxis(result, -1, 1) if form == Form.PLANES else result
    assert_close(actual, result, STORED_BOUND if form == Form.PLAIN16 else SUM_BOUND, scale)
    assert finite.all()


@pytest.mark.parametrize("name", ["lines", "going_on", "waveform", "voxels"])
def test_bits_depend_on_the_inputs_alone(name: str) -> None:
    layer = LAYERS[name]
    x = layer.inputs(5)
    together, _ = layer.run(x, "amx", capacity=5)
    for threads, images in [(3, 5), (2, 4), (7, 1)]:
        some, _ = layer.run(x[:images], "amx", threads=threads, capacity=5)
        np.testing.assert_array_equal(some, together[:images])


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_what_is_not_finite_stays_in_its_image_and_is_told(value: float) -> None:
    layer = LAYERS["going_on"]
    x = layer.inputs(3)
    clean, _ = layer.run(x, "amx", capacity=3)
    x[1, 32, 20, 0] = value
    made, finite = layer.run(x, "amx", capacity=3)
    assert finite.tolist() == [True, False, True]
    np.testing.assert_array_equal(made[[0, 2]], clean[[0, 2]])
    # What lies next to it in the padded map is another line's beginning.
    np.testing.assert_array_equal(made[1, :60], clean[1, :60])


# 2 MiB and more of whole vectors go past the caches.
LARGE = {
    "relu": Layer(Geometry.transposed((128, 64), (2, 2), 2), 32, 16, activation="relu"),
    "odd_width": Layer(Geometry.transposed((81, 67), (3, 3), 2, 1, 1), 33, 32),
}


@pytest.mark.parametrize("shift", [0, 1], ids=["aligned", "not_aligned"])
@pytest.mark.parametrize("name", LARGE)
def test_large_outputs(name: str, shift: int) -> None:
    layer = replace(LARGE[name], bfloat16=True)
    x = layer.inputs(1)
    shape = (1, *layer.geometry.output_size, layer.out_channels)
    size = int(np.prod(shape))
    memory = empty_aligned((size + 32,), np.float32)
    memory.fill(np.nan)
    out = memory[16 + shift : 16 + shift + size].reshape(shape)
    with layer.build("amx", threads=2, capacity=1) as network:
        finite = network.run(1, [x], [out])
    result, scale = layer.expected_bfloat16(x)
    assert_close(out, result, SUM_BOUND, scale)
    assert finite.all()
    assert np.isnan(memory[: 16 + shift]).all()
    assert np.isnan(memory[16 + shift + size :]).all()


def test_a_large_output_that_is_not_finite_is_told() -> None:
    layer = replace(LARGE["odd_width"], bfloat16=True)
    x = layer.inputs(1)
    x[0, 40, 30, 5] = np.inf
    out = empty_aligned((1, *layer.geometry.output_size, layer.out_channels), np.float32)
    with layer.build("amx", capacity=1) as network:
        assert not network.run(1, [x], [out]).any()
    assert np.isfinite(out[0, :70]).all()
    assert not np.isfinite(out[0, 78:84]).all()
