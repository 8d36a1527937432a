"""The cases of all tiers, by Triton's JIT on a device."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

pytest.importorskip("torch")
pytest.importorskip("triton")

import torch

from kernels.conv_transpose import planner
from kernels.conv_transpose.designs import load_design
from kernels.conv_transpose.launch import Layer
from tests.cases import conv_transpose, noise, pointwise, recurrent, sampler
from tests.cases.case import Case

OTHERS: dict[str, Callable[[], Case]] = {
    **noise.CASES,
    **recurrent.CASES,
    **sampler.CASES,
    **{
        f"{name} {dtype}": partial(make, dtype)
        for name, make in pointwise.CASES.items()
        for dtype in pointwise.TYPES
    },
}

ALL = conv_transpose.CASES + conv_transpose.GENERAL + conv_transpose.ROWS


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, id=case.id) for case in ALL],
)
def test_every_design_that_takes_a_layer(case: conv_transpose.Case) -> None:
    data = conv_transpose.make(case, "cuda")
    major, minor = torch.cuda.get_device_capability()
    architecture = 10 * major + minor
    plan = planner.plan(case.problem, max(1, case.batch), architecture)
    layer = Layer.pack(
        case.problem,
        data.weight,
        data.scale,
        data.shift,
        batch=max(1, case.batch),
        architecture=architecture,
        chosen=plan,
    )
    layer(data.x, data.out)
    conv_transpose.check(case, data)
    general = load_design("general")
    if plan.design != "general" and general.refuses(case.problem, architecture) is None:
        other = conv_transpose.make(case, "cuda")
        packed = conv_transpose.pack(general, case, other)
        for launch in general.launches(packed, other.x, other.out):
            launch.run()
        conv_transpose.check(case, other)


@pytest.mark.parametrize("name", list(OTHERS))
def test_the_other_kernels(name: str) -> None:
    case = OTHERS[name]().on("cuda")
    case.run()
    assert case.wrong() == {}
