"""Elementwise functions by name, in torch; the formulas are those of `kernels.reference`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.program.graph import Activation

_FUNCTIONS: Mapping[str, Callable[[Tensor, float, float], Tensor]] = {
    "none": lambda x, alpha, beta: x,
    "relu": lambda x, alpha, beta: x.relu(),
    "leaky_relu": lambda x, alpha, beta: F.leaky_relu(x, alpha),
    "tanh": lambda x, alpha, beta: x.tanh(),
    "sigmoid": lambda x, alpha, beta: x.sigmoid(),
    "elu": lambda x, alpha, beta: F.elu(x, alpha),
    "celu": lambda x, alpha, beta: F.celu(x, alpha),
    "selu": lambda x, alpha, beta: beta * F.elu(x, alpha),
    "softplus": lambda x, alpha, beta: F.softplus(x),
    "softsign": lambda x, alpha, beta: F.softsign(x),
    "silu": lambda x, alpha, beta: F.silu(x),
    "mish": lambda x, alpha, beta: F.mish(x),
    "gelu": lambda x, alpha, beta: F.gelu(x),
    "gelu_tanh": lambda x, alpha, beta: F.gelu(x, approximate="tanh"),
    "hard_sigmoid": lambda x, alpha, beta: (alpha * x + beta).clamp(0.0, 1.0),
    "hard_swish": lambda x, alpha, beta: x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
    "thresholded_relu": lambda x, alpha, beta: torch.where(x <= alpha, 0.0, x),
    "clip": lambda x, alpha, beta: x.clamp(alpha, beta),
    "abs": lambda x, alpha, beta: x.abs(),
    "neg": lambda x, alpha, beta: -x,
    "exp": lambda x, alpha, beta: x.exp(),
    "log": lambda x, alpha, beta: x.log(),
    "sqrt": lambda x, alpha, beta: x.sqrt(),
    "reciprocal": lambda x, alpha, beta: x.reciprocal(),
    "power": lambda x, alpha, beta: x.pow(alpha),
    "erf": lambda x, alpha, beta: x.erf(),
    "sin": lambda x, alpha, beta: x.sin(),
    "cos": lambda x, alpha, beta: x.cos(),
    "floor": lambda x, alpha, beta: x.floor(),
    "ceil": lambda x, alpha, beta: x.ceil(),
    "round": lambda x, alpha, beta: x.round(),
    "sign": lambda x, alpha, beta: x.sign(),
}


def activate(x: Tensor, activation: Activation) -> Tensor:
    """f(x), in the type of x; NaN stays NaN. KeyError for an unknown kind."""
    return _FUNCTIONS[activation.kind](x, activation.alpha, activation.beta)
