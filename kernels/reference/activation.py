"""Elementwise functions by name, with their numbers alpha and beta."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]
Function = Callable[[Doubles, float, float], Doubles]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def activation(x: ArrayLike, kind: str, alpha: float = 0.0, beta: float = 0.0) -> Doubles:
    """f(x) elementwise: same shape, float64; NaN stays NaN. ValueError for an unknown kind.

    The formulas are those of the ONNX operators of the same names; `FUNCTIONS` lists them. alpha
    is the slope, scale, threshold, lower bound or exponent; beta is selu's gamma, hard_sigmoid's
    offset, or clip's upper bound.
    """
    if kind not in FUNCTIONS:
        raise ValueError(f"activation {kind!r} is not one of {', '.join(sorted(FUNCTIONS))}")
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        return FUNCTIONS[kind](np.asarray(x, np.float64), alpha, beta)


def sigmoid(x: Doubles) -> Doubles:
    """1 / (1 + exp(-x)), without overflow on either side."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


def softplus(x: Doubles) -> Doubles:
    """log(1 + exp(x)), without overflow."""
    return np.logaddexp(0.0, x)


def _elu(x: Doubles, alpha: float) -> Doubles:
    # expm1 only below zero, where it cannot overflow.
    return np.where(x < 0, alpha * np.expm1(np.minimum(x, 0.0)), x)


def _gelu_tanh(x: Doubles) -> Doubles:
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


FUNCTIONS: Mapping[str, Function] = {
    "none": lambda x, alpha, beta: x,
    "relu": lambda x, alpha, beta: np.where(x < 0, 0.0, x),
    "leaky_relu": lambda x, alpha, beta: np.where(x < 0, alpha * x, x),
    "tanh": lambda x, alpha, beta: np.tanh(x),
    "sigmoid": lambda x, alpha, beta: sigmoid(x),
    "elu": lambda x, alpha, beta: _elu(x, alpha),
    "celu": lambda x, alpha, beta: np.where(x < 0, alpha * np.expm1(np.minimum(x, 0) / alpha), x),
    "selu": lambda x, alpha, beta: beta * _elu(x, alpha),
    "softplus": lambda x, alpha, beta: softplus(x),
    "softsign": lambda x, alpha, beta: x / (1.0 + np.abs(x)),
    "silu": lambda x, alpha, beta: x * sigmoid(x),
    "mish": lambda x, alpha, beta: x * np.tanh(softplus(x)),
    "gelu": lambda x, alpha, beta: 0.5 * x * (1.0 + _erf(x / math.sqrt(2.0))),
    "gelu_tanh": lambda x, alpha, beta: _gelu_tanh(x),
    "hard_sigmoid": lambda x, alpha, beta: np.clip(alpha * x + beta, 0.0, 1.0),
    "hard_swish": lambda x, alpha, beta: x * np.clip(x / 6.0 + 0.5, 0.0, 1.0),
    "thresholded_relu": lambda x, alpha, beta: np.where(x <= alpha, 0.0, x),
    "clip": lambda x, alpha, beta: np.minimum(np.maximum(x, alpha), beta),
    "abs": lambda x, alpha, beta: np.abs(x),
    "neg": lambda x, alpha, beta: -x,
    "exp": lambda x, alpha, beta: np.exp(x),
    "log": lambda x, alpha, beta: np.log(x),
    "sqrt": lambda x, alpha, beta: np.sqrt(x),
    "reciprocal": lambda x, alpha, beta: 1.0 / x,
    "power": lambda x, alpha, beta: np.power(x, alpha),
    "erf": lambda x, alpha, beta: _erf(x),
    "sin": lambda x, alpha, beta: np.sin(x),
    "cos": lambda x, alpha, beta: np.cos(x),
    "floor": lambda x, alpha, beta: np.floor(x),
    "ceil": lambda x, alpha, beta: np.ceil(x),
    "round": lambda x, alpha, beta: np.rint(x),
    "sign": lambda x, alpha, beta: np.sign(x),
}
