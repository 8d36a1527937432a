"""Gates of tier 4: what every named configuration's binary must hold, on every architecture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kernels.compile import AMD_ARCHITECTURE, ARCHITECTURES
from kernels.configurations import configurations
from kernels.inspect.gate import gate
from kernels.inspect.survey import Key, Outcome


def keys(*architectures: int | str) -> list[Any]:
    return [
        pytest.param(Key(name, architecture), id=f"{architecture}-{name}")
        for architecture in architectures
        for name in configurations(architecture)
    ]


@pytest.mark.parametrize("key", keys(*ARCHITECTURES))
def test_a_configuration_passes_its_gates(key: Key, outcome_of: Callable[[Key], Outcome]) -> None:
    outcome = outcome_of(key)
    assert outcome.error == ""
    assert outcome.reading is not None
    assert gate(outcome.reading, configurations(key.architecture)[key.name].demand) == []


@pytest.mark.parametrize("key", keys(AMD_ARCHITECTURE))
def test_a_configuration_compiles_for_amd(key: Key, outcome_of: Callable[[Key], Outcome]) -> None:
    outcome = outcome_of(key)
    assert outcome.error == ""
    assert outcome.binary_bytes > 0


def test_every_low_precision_product_is_asked_for_tensor_cores() -> None:
    for architecture in ARCHITECTURES:
        for configuration in configurations(architecture).values():
            layer = configuration.layer
            if layer is not None and layer.problem.operand in ("fp16", "bf16"):
                assert configuration.demand.tensor_cores or configuration.narrow


def test_configurations_are_exempt_from_wide_accesses_by_name_only() -> None:
    for architecture in ARCHITECTURES:
        exempt = {
            name
            for name, configuration in configurations(architecture).items()
            if configuration.layer is not None and not configuration.demand.wide
        }
        assert exempt == {"grouped"}
