from __future__ import annotations

from dataclasses import replace

import pytest

from kernels.conv_transpose import grouped_columns
from kernels.conv_transpose.design import Tile
from tests.cases.conv_transpose import CASES, Case, check, forward, make, pack, transposed

TILE = Tile(rows=32, columns=16, depth=16, warps=1, stages=2)
UP = transposed((3, 5), (4, 4), stride=2, padding=1)

IMAGES = (
    Case("image", UP(16, 3, activation="tanh", output="uint8"), 3, replace(TILE, group=9)),
    Case("image-split", UP(32, 3, activation="tanh", output="uint8"), 2, replace(TILE, group=1)),
    Case("image-two-groups", UP(16, 3, activation="tanh"), 2, replace(TILE, group=2)),
    Case("image-one-channel", UP(16, 1, output="fp32"), 3, replace(TILE, group=3)),
    Case("image-wide-chunk", UP(16, 4, output="bf16"), 2, replace(TILE, columns=64, group=2)),
    Case(
        "image-7x7",
        forward((4, 9), (7, 7), padding=3)(16, 3, activation="tanh", output="uint8"),
        2,
        replace(TILE, group=2),
    ),
    Case(
        "image-output-padding",
        transposed((2, 3), (5, 5), stride=2, padding=2, output_padding=1)(16, 3),
        2,
        replace(TILE, group=2),
    ),
    Case(
        "image-stride-3",
        transposed((2, 4), (2, 2), stride=3, output_padding=1)(16, 3, activation="sigmoid"),
        2,
        replace(TILE, group=2),
    ),
    Case(
        "image-cropped",
        transposed((4, 9), (4, 4), stride=2, padding=3)(16, 3, output="fp32"),
        2,
        replace(TILE, group=2),
    ),
    Case(
        "sound",
        forward((37,), (7,), padding=3)(16, 1, activation="tanh", output="fp32"),
        3,
        replace(TILE, group=2),
    ),
    Case(
        "sound-dilated",
        forward((40,), (3,), padding=5, dilation=5)(16, 1, output="fp32"),
        3,
        replace(TILE, group=2),
    ),
    Case(
        "video",
        transposed((2, 2, 4), (4, 4, 4), stride=2, padding=1)(16, 3, activation="tanh"),
        1,
        replace(TILE, group=4),
    ),
)
SHARED = tuple(
    replace(case, tile=TILE)
    for case in CASES
    if grouped_columns.refuses(case.problem, 90) is None and case.problem.out_channels <= 8
)


@pytest.mark.parametrize("case", IMAGES + SHARED, ids=lambda case: case.id)
def test_grouped_columns(case: Case) -> None:
    data = make(case)
    for launch in grouped_columns.launches(pack(grouped_columns, case, data), data.x, data.out):
        launch.run()
    check(case, data)


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (UP(16, 4, groups=4), "groups=4"),
        (UP(20, 3), "multiple of 16"),
        (forward((9, 9), (3, 3), stride=2)(16, 3), "skips inputs"),
        (transposed((9, 9), (3, 3), stride=2, dilation=3)(16, 3), "phases"),
        (forward((9, 9), (5, 11), padding=5)(16, 8), "elements"),
    ],
    ids=["groups", "channels", "stride", "dilation", "reach"],
)
def test_refused_with_the_reason(problem, reason: str) -> None:
    assert reason in (grouped_columns.refuses(problem, 90) or "")


def test_depth_must_divide_the_channels() -> None:
    case = Case("depth", UP(48, 3), 1, replace(TILE, depth=32))
    with pytest.raises(ValueError, match="depth=32 does not divide in_channels=48"):
        pack(grouped_columns, case, make(case))
