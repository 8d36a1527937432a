from __future__ import annotations

from dataclasses import replace

import pytest

from kernels.conv_transpose import shifted_grid
from kernels.conv_transpose.design import Tile
from tests.cases.conv_transpose import CASES, Case, check, make, pack

TILE = Tile(rows=32, columns=32, depth=16, warps=1, stages=2)
TAKEN = [case for case in CASES if shifted_grid.refuses(case.problem, 90) is None]


@pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.id)
def test_shifted_grid(case: Case) -> None:
    case = replace(case, tile=replace(TILE, columns=max(32, case.tile.columns)))
    data = make(case)
    for launch in shifted_grid.launches(pack(shifted_grid, case, data), data.x, data.out):
        launch.run()
    check(case, data)
