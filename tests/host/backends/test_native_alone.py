"""Single convolutions between arrays of the caller: which way they go, and what they make."""

from __future__ import annotations

import numpy as np
import pytest

from engine.backends._native.alone import MOST_TOGETHER, alone
from engine.backends._native.choices import default_choices
from engine.program.graph import Convolution, Program, Value
from kernels.geometry import Geometry
from kernels.native import library
from tests.cases import native_programs as cases
from tests.cases.native import assert_close
from tests.cases.small_programs import dcgan, program, weights

DOUBLING = Geometry.transposed((12, 11), (2, 2), 2)
WAVE = Geometry.transposed((130,), (25,), 4, 11, 1)


def single(geometry: Geometry, groups: int = 1, channels: int = 16) -> Program:
    layer = Convolution(
        name="y",
        inputs=("x",),
        outputs=("y",),
        geometry=geometry,
        weight=weights(1, *geometry.kernel, 8 // groups, channels),
        shift=weights(2, channels),
        groups=groups,
    )
    return program("decoder", (Value("x", (*geometry.input_size, 8)),), layer)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (single(DOUBLING), True),
        (single(WAVE), False),
        (single(WAVE, channels=2), True),
        (single(Geometry.transposed((16, 16), (4, 4), 2, 1), channels=3), True),
        (single(DOUBLING, groups=2), False),
        (single(Geometry.transposed((8, 8), (2, 2), 2)), False),
        (single(Geometry.transposed((16, 16), (4, 4), 2, 1)), False),
        (single(Geometry.transposed((16, 16), (5, 5), 2, 2, 1)), False),
        (single(Geometry.forward((16, 16), (2, 2), 2), channels=3), False),
        (dcgan().programs["decoder"], False),
    ],
    ids=[
        "k2s2",
        "wave",
        "wave_of_few_channels",
        "k4s2_of_few_channels",
        "groups",
        "positions",
        "k4s2",
        "k5s2",
        "forward",
        "many",
    ],
)
def test_which_programs_they_are(made: Program, expected: bool) -> None:
    assert alone({"decoder": made}) == expected


def test_only_float32_takes_the_path_of_few_images() -> None:
    chosen = default_choices(100, 2, False, "amx", alone=True)
    assert (chosen.few, chosen.capacity) == (True, MOST_TOGETHER)
    assert not default_choices(100, 2, True, "amx", alone=True).few
    assert not default_choices(100, 2, False, "amx").few


@pytest.mark.parametrize("geometry", [DOUBLING, WAVE], ids=["k2s2", "wave"])
def test_batches_of_several_micro_batches(geometry: Geometry) -> None:
    reason = library.unavailable()
    if reason:
        pytest.skip(reason)
    made = single(geometry)
    feed = cases.inputs_of(made, MOST_TOGETHER + 7)
    chosen = default_choices(100, 2, False, library.instruction_sets()[-1], alone=True)
    plan = cases.planned(made, chosen)
    assert [placed.step.kind for placed in plan.steps] == ["positions_convolution"]
    found = cases.run(plan, feed)["y"]
    assert_close(found, cases.expected(made, feed)["y"], 3e-6, 1.0)
    one = cases.run(plan, {"x": feed["x"][MOST_TOGETHER + 3 :][:1]})["y"]
    np.testing.assert_array_equal(one[0], found[MOST_TOGETHER + 3])
