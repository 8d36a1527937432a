"""Every activation against torch in float64, at its own corners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.program.graph import ELEMENTWISE_ACTIVATIONS, FUSED_ACTIVATIONS
from kernels.reference.activation import FUNCTIONS, activation

torch = pytest.importorskip("torch")
F = torch.nn.functional

# Numbers to give, and torch's function of the same numbers.
TORCH: dict[str, tuple[float, float, Callable[[Any], Any]]] = {
    "none": (0, 0, lambda x: x),
    "relu": (0, 0, F.relu),
    "leaky_relu": (0.2, 0, lambda x: F.leaky_relu(x, 0.2)),
    "tanh": (0, 0, torch.tanh),
    "sigmoid": (0, 0, torch.sigmoid),
    "elu": (0.7, 0, lambda x: F.elu(x, 0.7)),
    "celu": (0.7, 0, lambda x: F.celu(x, 0.7)),
    "selu": (1.6732632423543772, 1.0507009873554805, F.selu),
    "softplus": (0, 0, lambda x: F.softplus(x, threshold=1e9)),
    "softsign": (0, 0, F.softsign),
    "mish": (0, 0, F.mish),
    "silu": (0, 0, F.silu),
    "gelu": (0, 0, F.gelu),
    "gelu_tanh": (0, 0, lambda x: F.gelu(x, approximate="tanh")),
    "hard_sigmoid": (1 / 6, 0.5, F.hardsigmoid),
    "hard_swish": (0, 0, F.hardswish),
    "thresholded_relu": (0.5, 0, lambda x: F.threshold(x, 0.5, 0.0)),
    "clip": (-0.5, 6.0, lambda x: torch.clamp(x, -0.5, 6.0)),
    "exp": (0, 0, torch.exp),
    "log": (0, 0, torch.log),
    "sqrt": (0, 0, torch.sqrt),
    "reciprocal": (0, 0, torch.reciprocal),
    "abs": (0, 0, torch.abs),
    "neg": (0, 0, torch.neg),
    "erf": (0, 0, torch.erf),
    "sin": (0, 0, torch.sin),
    "cos": (0, 0, torch.cos),
    "power": (3.0, 0, lambda x: torch.pow(x, 3.0)),
    "floor": (0, 0, torch.floor),
    "ceil": (0, 0, torch.ceil),
    "round": (0, 0, torch.round),
    "sign": (0, 0, torch.sign),
}

CORNERS = [0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 3.0, -3.0, 6.0, -6.0, 30.0, -30.0, 700.0, -700.0]


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_against_torch(kind: str) -> None:
    x = np.concatenate([CORNERS, np.random.default_rng(5).standard_normal(200) * 3, [np.nan]])
    alpha, beta, function = TORCH[kind]
    expected = function(torch.from_numpy(x)).numpy()
    # torch's sign gives 0 for NaN; ours keeps it, as ONNX's reference does.
    expected = np.where(np.isnan(x), np.nan, expected)
    out = activation(x, kind, alpha, beta)
    assert out.dtype == np.float64
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-14)


def test_all_activations_of_a_program_are_here() -> None:
    assert set(FUNCTIONS) == {*FUSED_ACTIVATIONS, *ELEMENTWISE_ACTIVATIONS}


@pytest.mark.parametrize("kind", ["relu", "leaky_relu", "tanh", "sigmoid", "softplus", "silu"])
def test_infinity(kind: str) -> None:
    expected = {
        "relu": (np.inf, 0.0),
        "leaky_relu": (np.inf, -np.inf),
        "tanh": (1.0, -1.0),
        "sigmoid": (1.0, 0.0),
        "softplus": (np.inf, 0.0),
        # x * sigmoid(x) is infinity times zero below, as in torch.
        "silu": (np.inf, np.nan),
    }[kind]
    np.testing.assert_array_equal(activation([np.inf, -np.inf], kind, 0.2), expected)


def test_empty() -> None:
    assert activation(np.empty((0, 3)), "tanh").shape == (0, 3)


def test_unknown_refused() -> None:
    with pytest.raises(ValueError, match=r"activation 'swoosh' is not one of abs, "):
        activation(1.0, "swoosh")
