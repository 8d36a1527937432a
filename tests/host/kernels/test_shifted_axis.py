from __future__ import annotations

import pytest

from kernels.conv_transpose.image_row import image_row
from kernels.conv_transpose.problem import Problem
from kernels.conv_transpose.shifted_axis import ShiftedAxis, refusal, shifted_axes
from kernels.geometry import Geometry

GEOMETRIES = {
    "dcgan": Geometry.transposed((4,), (4,), 2, 1),
    "odd": Geometry.transposed((5,), (5,), 3, 2, 2),
    "kernel-below-stride": Geometry.transposed((3,), (2,), 3, 0, 1),
    "cropped": Geometry.transposed((6,), (4,), 2, 5),
    "stride-1": Geometry.transposed((5,), (3,), 1, 1),
    "stride-1-dilated": Geometry.transposed((5,), (3,), 1, 2, 0, 2),
    "forward": Geometry.forward((7,), (3,), 1, 1),
    "forward-dilated": Geometry.forward((9,), (3,), 1, 3, 3),
    "forward-wide-padding": Geometry.forward((2,), (2,), 1, 4),
    "vocoder": Geometry.transposed((4,), (16,), 8, 4),
}


def pairs_of(axis: ShiftedAxis) -> dict[int, set[tuple[int, int]]]:
    """Pairs (tap, input) of every output, walked over as the kernels do."""
    found: dict[int, set[tuple[int, int]]] = {output: set() for output in range(axis.outputs)}
    for position in range(axis.first, axis.first + axis.count):
        for phase in range(axis.phases):
            output = axis.phases * position + phase - axis.shift
            for step in range(axis.steps):
                source, tap = position - axis.spacing * step, axis.tap(phase, step)
                if output in found and tap is not None and 0 <= source < axis.inputs:
                    found[output].add((tap, source))
    return found


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_grid_meets_what_the_definition_meets(name: str) -> None:
    geometry = GEOMETRIES[name]
    assert refusal(geometry) is None
    (axis,) = shifted_axes(geometry)
    expected = {
        output: set(geometry.inputs_of(0, output)) for output in range(geometry.output_size[0])
    }
    assert pairs_of(axis) == expected


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        (Geometry.forward((7,), (3,), 2), "skips inputs"),
        (Geometry.transposed((7,), (3,), 2, 0, 0, 2), "do not read the same inputs"),
    ],
    ids=["forward-stride", "stride-and-dilation"],
)
def test_refused_with_the_reason(geometry: Geometry, reason: str) -> None:
    assert reason in (refusal(geometry) or "")


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_a_column_reaches_two_chunks_of_a_row_at_most(name: str, channels: int) -> None:
    geometry = GEOMETRIES[name]
    row = image_row(Problem(geometry, 16, channels), 1)
    for output in range(geometry.output_size[0]):
        for _, column in geometry.inputs_of(0, output):
            home = (column * row.column - row.shift) // row.chunk
            assert 0 <= (output * channels + channels - 1) // row.chunk - home <= 1
            assert output * channels // row.chunk >= home


@pytest.mark.parametrize("name", GEOMETRIES)
def test_programs_together_multiply_every_column_that_meets_an_output(name: str) -> None:
    geometry = GEOMETRIES[name]
    row = image_row(Problem(geometry, 16, 3), 1)
    meeting = {
        column
        for output in range(geometry.output_size[0])
        for _, column in geometry.inputs_of(0, output)
    }
    assert len(meeting) <= row.columns(row.chunks) <= geometry.input_size[0]
    assert row.columns(1) >= row.columns(row.chunks)
