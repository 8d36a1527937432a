"""Moving averages that are a list of parameters, as torch_ema saves them."""

from __future__ import annotations

import numpy as np
import pytest

from engine.core.recognition.state_dict import find_state_dict

STATE = {
    "0.weight": np.zeros((4, 3)),
    "1.weight": np.zeros(4),
    "1.bias": np.zeros(4),
    "1.running_mean": np.zeros(4),
    "1.running_var": np.zeros(4),
    "1.num_batches_tracked": np.zeros(()),
    "2.weight": np.zeros((2, 4)),
}
SHADOW = [np.full((4, 3), 1.0), np.full(4, 2.0), np.full(4, 3.0), np.full((2, 4), 4.0)]


@pytest.mark.parametrize("key", ["model", "netG"])
def test_laid_over_the_parameters_in_order(key: str) -> None:
    ema = {"decay": 0.99, "num_updates": 3, "shadow_params": SHADOW}
    found = find_state_dict({key: STATE, "ema": ema})
    means = {name: float(tensor.mean()) for name, tensor in found.tensors.items()}
    assert means == {
        "0.weight": 1.0,
        "1.weight": 2.0,
        "1.bias": 3.0,
        "2.weight": 4.0,
        "1.running_mean": 0.0,
        "1.running_var": 0.0,
        "1.num_batches_tracked": 0.0,
    }
    assert "'ema.shadow_params' was laid over the parameters" in found.notes[-1]


@pytest.mark.parametrize(
    "shadow", [SHADOW[:-1], [*SHADOW[:-1], np.zeros((4, 2))]], ids=["count", "shape"]
)
def test_one_that_does_not_fit_is_said_to_be_unused(shadow: list[np.ndarray]) -> None:
    found = find_state_dict({"model": STATE, "ema": {"shadow_params": shadow}})
    assert found.tensors["0.weight"].max() == 0
    assert f"was not used, its {len(shadow)} tensors do not fit the 4" in found.notes[-1]
