"""Geometry: the meeting rule against its definition, PyTorch's sizes, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings

from kernels.geometry import Geometry
from tests.cases.geometries import FORWARD, TRANSPOSED, geometries


def meetings(geometry: Geometry, axis: int) -> set[tuple[int, int, int]]:
    """(input, tap, output) by the formula, over everything that there is."""
    s, p, d = (getattr(geometry, name)[axis] for name in ("stride", "padding", "dilation"))
    ranges = (geometry.input_size[axis], geometry.kernel[axis], geometry.output_size[axis])
    if geometry.direction == "forward":
        return {
            (i, k, o)
            for i, k, o in itertools.product(*map(range, ranges))
            if i == s * o + d * k - p
        }
    return {
        (i, k, o) for i, k, o in itertools.product(*map(range, ranges)) if o == s * i + d * k - p
    }


def check(geometry: Geometry) -> None:
    count = 1
    for axis in range(geometry.rank):
        expected = meetings(geometry, axis)
        outputs = range(geometry.output_size[axis])
        pairs = {o: geometry.inputs_of(axis, o) for o in outputs}
        assert {(i, k, o) for o in outputs for k, i in pairs[o]} == expected
        assert all(list(found) == sorted(found) for found in pairs.values())
        count *= len(expected)
    assert geometry.useful_products() == count


@settings(deadline=None)
@given(geometry=geometries())
def test_meetings(geometry: Geometry) -> None:
    check(geometry)


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_cases(name: str) -> None:
    check(TRANSPOSED[name])


@pytest.mark.parametrize("name", FORWARD)
def test_forward_cases(name: str) -> None:
    check(FORWARD[name])


@settings(deadline=None)
@given(geometry=geometries())
def test_three_axes_are_the_same_convolution(geometry: Geometry) -> None:
    wide = geometry.as_3d()
    assert wide.rank == 3
    for name in ("positions_in", "positions_out", "taps"):
        assert getattr(wide, name) == getattr(geometry, name)
    assert wide.useful_products() == geometry.useful_products()
    assert wide.as_3d() == wide


def test_linear_is_one_position_and_one_tap() -> None:
    linear = FORWARD["linear"]
    assert (linear.rank, linear.positions_in, linear.positions_out, linear.taps) == (0, 1, 1, 1)
    assert linear.useful_products() == 1


@pytest.mark.parametrize(
    ("geometry", "output_size"),
    [
        pytest.param(Geometry.transposed((4, 4), (4, 4), 2, 1), (8, 8), id="dcgan"),
        pytest.param(Geometry.transposed((3,), (3,), 2, 1, 1), (6,), id="output_padding"),
        pytest.param(Geometry.transposed((0, 4), (4, 4), 2, 1), (0, 8), id="empty_map"),
        pytest.param(Geometry.forward((7, 5), (3, 3), 2, 1), (4, 3), id="forward_odd"),
        pytest.param(Geometry.forward((17,), (3,), 1, 5, 5), (17,), id="dilated_same"),
    ],
)
def test_output_size(geometry: Geometry, output_size: tuple[int, ...]) -> None:
    assert geometry.output_size == output_size


GOOD: dict[str, Any] = {
    "direction": "transposed",
    "input_size": (4, 4),
    "output_size": (8, 8),
    "kernel": (4, 4),
    "stride": (2, 2),
    "padding": (1, 1),
    "dilation": (1, 1),
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"direction": "backward"}, "'backward'", id="direction"),
        pytest.param({"stride": (2, 0)}, r"stride=\(2, 0\)", id="stride"),
        pytest.param({"kernel": (4,)}, r"kernel=\(4,\)", id="axes"),
        pytest.param({"padding": (-1, 0)}, r"padding=\(-1, 0\)", id="negative_padding"),
        pytest.param({"dilation": (0, 1)}, r"dilation=\(0, 1\)", id="dilation"),
        pytest.param({"output_size": (8, -1)}, r"output_size=\(8, -1\)", id="output"),
        pytest.param({"input_size": (2,) * 4}, "at most 3 axes", id="four_axes"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Geometry(**(GOOD | change))


def test_output_padding_as_large_as_the_stride_refused() -> None:
    with pytest.raises(ValueError, match=r"output_padding=\(2,\)"):
        Geometry.transposed((4,), (4,), 2, 0, 2)


def test_too_small_input_refused() -> None:
    with pytest.raises(ValueError, match=r"size \(-1,\)"):
        Geometry.forward((1,), (3,))
