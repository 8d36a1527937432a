"""Targets that are exact: what the planner's tiling executes and moves, counted."""

from __future__ import annotations

import pytest

from kernels.compile import ARCHITECTURES
from kernels.configurations import configurations
from kernels.inspect.targets import TARGETS, missed


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", TARGETS)
def test_a_layer_meets_its_targets(name: str, architecture: int) -> None:
    layer = configurations(architecture)[name].layer
    assert layer is not None
    assert missed(name, layer) == []
