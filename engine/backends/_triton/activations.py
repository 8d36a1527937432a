"""Elementwise functions in torch, by the names of `engine.program.values.Activation`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.program.graph import Activation

_FUNCTIONS: Mapping[str, Callable[[Tensor, float, float], Tensor]] = {
    "none": lambda x, a, b: x,
    "relu": lambda x, a, b: F.relu(x),
    "leaky_relu": lambda x, a, b: F.leaky_relu(x, a),
    "tanh": lambda x, a, b: torch.tanh(x),
    "sigmoid": lambda x, a, b: torch.sigmoid(x),
    "elu": lambda x, a, b: F.elu(x, a),
    "celu": lambda x, a, b: F.celu(x, a),
    "selu": lambda x, a, b: b * F.elu(x, a),
    "softplus": lambda x, a, b: torch.logaddexp(x, torch.zeros_like(x)),
    "softsign": lambda x, a, b: F.softsign(x),
    "mish": lambda x, a, b: F.mish(x),
    "silu": lambda x, a, b: F.silu(x),
    "gelu": lambda x, a, b: F.gelu(x),
    "gelu_tanh": lambda x, a, b: F.gelu(x, approximate="tanh"),
    "hard_sigmoid": lambda x, a, b: (a * x + b).clamp(0.0, 1.0),
    "hard_swish": lambda x, a, b: x * (x / 6 + 0.5).clamp(0.0, 1.0),
    "thresholded_relu": lambda x, a, b: torch.where(x > a, x, 0.0),
    "clip": lambda x, a, b: x.clamp(a, b),
    "exp": lambda x, a, b: x.exp(),
    "log": lambda x, a, b: x.log(),
    "sqrt": lambda x, a, b: x.sqrt(),
    "reciprocal": lambda x, a, b: x.reciprocal(),
    "abs": lambda x, a, b: x.abs(),
    "neg": lambda x, a, b: -x,
    "erf": lambda x, a, b: x.erf(),
    "sin": lambda x, a, b: x.sin(),
    "cos": lambda x, a, b: x.cos(),
    "power": lambda x, a, b: x**a,
    "floor": lambda x, a, b: x.floor(),
    "ceil": lambda x, a, b: x.ceil(),
    "round": lambda x, a, b: x.round(),
    "sign": lambda x, a, b: x.sign(),
}
KINDS = tuple(_FUNCTIONS)


def activate(x: Tensor, activation: Activation) -> Tensor:
    """The function of an activation, of float32 values."""
    return _FUNCTIONS[activation.kind](x, activation.alpha, activation.beta)
