from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kernels.conv_transpose import baseline
from kernels.conv_transpose.baseline import BASELINES, Baseline
from kernels.conv_transpose.design import Tile
from tests.cases.conv_transpose import Case, check, forward, make, transposed

TILE = Tile(rows=64, columns=16, depth=16, warps=1, stages=2)
UP = transposed((2, 3), (4, 4), stride=2, padding=1)

CASES = (
    Case("up", UP(24, 16, activation="relu"), 2, TILE),
    Case("image", UP(16, 3, activation="tanh", output="uint8"), 2, TILE),
    Case("bf16", UP(16, 8, operand="bf16", output="fp32"), 1, TILE),
    Case("odd", transposed((3, 2), (5, 3), stride=(3, 2), padding=(2, 1))(8, 8), 1, TILE),
    Case("kernel-below-stride", transposed((2, 3), (1, 2), stride=(2, 3))(8, 8), 2, TILE),
    Case("sound", transposed((5,), (8,), stride=4, padding=2)(16, 8), 2, TILE),
    Case("video", transposed((1, 2, 2), (2, 4, 4), stride=2, padding=(0, 1, 1))(8, 8), 1, TILE),
    Case("empty", UP(8, 8), 0, TILE),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.parametrize("name", BASELINES)
def test_baseline(name: Baseline, case: Case) -> None:
    data = make(case)
    tensors = (data.x, data.weight, data.scale, data.shift)
    for launch in baseline.launches(name, case.problem, case.tile, tensors, data.out):
        launch.run()
    # The bare convolution, below 16 here, is rounded before it is scaled by up to 1.5.
    cut = 24 * (2.0**-7 if case.problem.operand == "bf16" else 2.0**-11)
    levels = 127.5 if case.problem.output == "uint8" else 1.0
    check(case, replace(data, allowed=np.asarray(data.allowed) + cut * levels))


def test_zero_insertion_executes_every_tap_and_phases_only_theirs() -> None:
    problem = transposed((8, 8), (4, 4), stride=2, padding=1)(16, 16)
    tile = replace(TILE, rows=64)
    zeros, phases = (baseline.work(name, problem, tile, 16) for name in BASELINES)
    assert zeros.executed_flops == 2 * 16 * 16 * 16 * 16 * 16 * 16
    assert phases.executed_flops == zeros.executed_flops // 4
    assert zeros.fill_bytes > 3 * phases.fill_bytes
    assert zeros.compulsory_bytes > phases.compulsory_bytes


@pytest.mark.parametrize(
    ("problem", "reason"),
    [
        (forward((4,), (3,))(8, 8), "forward"),
        (UP(8, 8, groups=2), "groups"),
        (UP(8, 8, operand="fp32"), "fp32"),
        (transposed((4,), (3,), dilation=2)(8, 8), "dilation"),
    ],
    ids=["forward", "groups", "fp32", "dilation"],
)
def test_refused_with_the_reason(problem, reason: str) -> None:
    case = Case("refused", problem, 1, TILE)
    data = make(case)
    with pytest.raises(ValueError, match=reason):
        baseline.launches(
            "kernel_per_phase", problem, TILE, (data.x, data.weight, None, None), data.out
        )
