from __future__ import annotations

import pytest

from kernels.conv_transpose.designs import load_design
from tests.cases.conv_transpose import CASES, GENERAL, ROWS, Case, check, make, pack


def run(design_name: str, case: Case, algorithm: str | None = None) -> None:
    data = make(case, algorithm=algorithm)
    design = load_design(design_name)
    for launch in design.launches(pack(design, case, data), data.x, data.out):
        launch.run()
    check(case, data)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_position_major(case: Case) -> None:
    run("position_major", case)


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case.id)
def test_position_rows(case: Case) -> None:
    run("position_rows", case)


@pytest.mark.parametrize("case", GENERAL, ids=lambda case: case.id)
def test_general(case: Case) -> None:
    run("general", case, "fp32")
