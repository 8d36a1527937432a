from __future__ import annotations

from dataclasses import replace

import pytest

from kernels.conv_transpose import descriptors
from kernels.conv_transpose.design import Tile
from kernels.conv_transpose.problem import Problem
from tests.cases.conv_transpose import CASES, Case, check, forward, make, pack, transposed

TILE = Tile(rows=64, columns=8, depth=16, warps=4, stages=2)
UP = transposed((3, 5), (4, 4), stride=2, padding=1)

MAPS = (
    Case("map", UP(24, 16, activation="relu"), 3, replace(TILE, columns=16)),
    Case("map-cut-in-boxes", UP(16, 8), 1, replace(TILE, rows=16)),
    Case("map-uint8", UP(16, 16, activation="tanh", output="uint8"), 2, replace(TILE, columns=16)),
    Case("map-bf16", UP(16, 8, operand="bf16", output="bf16"), 2, TILE),
    Case("map-fp32-out", UP(16, 8, output="fp32", activation="leaky_relu"), 1, TILE),
    Case("map-two-tiles", UP(16, 32), 2, replace(TILE, columns=16)),
    Case(
        "stride-1-clipped",
        transposed((4, 3), (3, 3), padding=1)(16, 24),
        2,
        replace(TILE, columns=16),
    ),
    Case("forward-dilated-2d", forward((4, 5), (3, 2), padding=2, dilation=2)(16, 8), 2, TILE),
    Case("vocoder", transposed((6,), (16,), stride=8, padding=4)(16, 8), 2, TILE),
    Case(
        "columns-256",
        transposed((2, 2), (2, 2), stride=2)(16, 256),
        1,
        replace(TILE, columns=256),
    ),
)
SHARED = tuple(
    replace(case, tile=TILE)
    for case in CASES
    if descriptors.refuses(case.problem, 90) is None and case.problem.out_channels % 8 == 0
)


@pytest.mark.parametrize("case", MAPS + SHARED, ids=lambda case: case.id)
def test_descriptors(case: Case) -> None:
    data = make(case)
    for launch in descriptors.launches(pack(descriptors, case, data), data.x, data.out):
        launch.run()
    check(case, data)


@pytest.mark.parametrize(
    ("problem", "architecture", "reason"),
    [
        (UP(16, 16), 89, "no tensor memory accelerator"),
        (UP(16, 16, operand="fp32"), 90, "fp32"),
        (UP(16, 16, groups=2), 90, "groups=2"),
        (UP(12, 16), 90, "in_channels=12"),
        (UP(16, 12, output="uint8"), 90, "out_channels=12"),
        (transposed((3,), (3,), stride=2)(16, 16), 90, "multiple of stride"),
        (transposed((3, 3, 3), (3, 3, 3))(16, 16), 90, "3 axes"),
        (forward((9, 9), (3, 3), stride=2)(16, 16), 90, "skips inputs"),
    ],
    ids=["sm", "fp32", "groups", "in", "out", "output-size", "3d", "stride"],
)
def test_refused_with_the_reason(problem: Problem, architecture: int, reason: str) -> None:
    assert reason in (descriptors.refuses(problem, architecture) or "")


def test_columns_must_divide_the_channels_of_a_phase() -> None:
    case = Case("columns", UP(16, 24), 1, replace(TILE, columns=16))
    with pytest.raises(ValueError, match="columns=16 does not divide out_channels=24"):
        pack(descriptors, case, make(case))
