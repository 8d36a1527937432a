"""Every pointwise case in the interpreter, in every type, with canaries around its output."""

from __future__ import annotations

import pytest

from tests.cases.pointwise import CASES

# Elements past the end divide by zero before they are masked; the interpreter's numpy says so.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

HALF = ("add_relu", "affine_leaky_relu", "concat_channels", "instance_norm", "pool_mean")


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", ["fp16", "fp32"])
def test_case(name: str, dtype: str) -> None:
    case = CASES[name](dtype)
    assert case.launches
    case.run()
    assert case.wrong() == {}


@pytest.mark.parametrize("name", HALF)
def test_bfloat16(name: str) -> None:
    case = CASES[name]("bf16")
    case.run()
    assert case.wrong() == {}
