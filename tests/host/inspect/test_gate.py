"""What keeps a binary from shipping."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kernels.inspect.gate import Demand, gate
from kernels.inspect.reading import GlobalAccess
from tests.cases.readings import GOOD

DEMAND = Demand(tensor_cores=True, wide=("x_ptr",))


def test_a_good_binary_has_no_faults() -> None:
    assert gate(GOOD, DEMAND) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stack_bytes": 8}, "8 bytes of stack"),
        ({"spill_loads": 1}, "1 loads"),
        ({"spill_stores": 2}, "2 stores"),
        ({"ctas_per_multiprocessor": 0}, "does not fit"),
        ({"tensor_instructions": {}}, "no tensor-core instruction"),
        (
            {"accesses": (GlobalAccess(("x_ptr",), "store", 8, False, 3),)},
            "3 stores of x_ptr move 8",
        ),
        (
            {"accesses": (GlobalAccess(("w_ptr", "x_ptr"), "load", 4, False, 1),)},
            "1 loads of x_ptr",
        ),
        (
            {"accesses": (*GOOD.accesses, GlobalAccess((), "load", 16, False, 1))},
            "could not be followed",
        ),
        ({"accesses": ()}, "no access to x_ptr"),
    ],
)
def test_each_fault_is_named(change: dict[str, Any], words: str) -> None:
    (fault,) = gate(replace(GOOD, **change), DEMAND)
    assert words in fault


def test_copies_by_tensor_map_stand_for_arguments_that_are_descriptors() -> None:
    copies = (GlobalAccess((), "load", 16, True, 4),)
    assert gate(replace(GOOD, accesses=copies), DEMAND) == []


def test_a_kernel_without_demands_may_be_narrow() -> None:
    narrow = (GlobalAccess(("x_ptr",), "load", 4, False, 3),)
    assert gate(replace(GOOD, accesses=narrow, tensor_instructions={}), Demand()) == []
