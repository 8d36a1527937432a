"""NaN and infinities: what bytes become of them, and how far they reach."""

from __future__ import annotations

import numpy as np
import pytest

from kernels.geometry import Geometry
from kernels.native.library import instruction_sets
from kernels.native.network import Form, Network, Space, Value
from tests.cases import convolutions_native, native_rows
from tests.cases.native_positions import Layer


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7FC00001, 0xFFC000FF, 0x7F8000AB], ids=hex)
def test_nan_is_the_level_0(bits: int, instruction_set: str) -> None:
    """Whatever its other bits say, and whichever operation makes the bytes."""
    nan = np.full((2, 6), bits, np.uint32).view(np.float32)
    with Network(16, 0, threads=1, instruction_set=instruction_set) as network:
        network.add(
            "convert",
            [Value(Form.PLAIN, Space.INPUT, 0, 1, 6)],
            [Value(Form.IMAGES, Space.OUTPUT, 0, 1, 6)],
            integers=[1],
            numbers=[-1.0, 1.0],
        )
        levels = np.full((2, 6), 77, np.uint8)
        assert not network.run(2, [nan], [levels]).any()
        assert (levels == 0).all()
    linear = Geometry("forward", (), (), (), (), (), ())
    layer = Layer(linear, 6, 6, form=Form.IMAGES)
    levels, finite = layer.run(nan, instruction_set)
    assert not finite.any()
    assert (levels == 0).all()


@pytest.mark.parametrize("name", native_rows.SETS)
@pytest.mark.parametrize("bad", [np.nan, np.inf], ids=str)
def test_zeros_between_groups_keep_them_within_an_image(name: str, bad: float) -> None:
    if name not in instruction_sets():
        pytest.skip(f"this processor, or this build, has no {name}")
    layer = convolutions_native.Layer(Geometry.transposed((3, 3), (4, 4), 2, 1), 6, 6, groups=3)
    x = native_rows.inputs(layer, 19)
    clean, _ = native_rows.run_rows(layer, x, name)
    x[7, 1, 1, 0] = bad
    dirty, finite = native_rows.run_rows(layer, x, name)
    np.testing.assert_array_equal(np.flatnonzero(~finite), [7])
    np.testing.assert_array_equal(np.delete(dirty, 7, 0), np.delete(clean, 7, 0))
    # In its image the group that reads it, at least, at the outputs that meet it, and no others.
    assert not np.isfinite(dirty[7, 1:5, 1:5, :2]).any()
    inside = np.isfinite(dirty[7])
    np.testing.assert_array_equal(dirty[7][inside], clean[7][inside])
    assert inside[0].all()
    assert inside[:, 5].all()
