"""Matrix products: the linear layer, and the product of two values."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]


def linear(x: ArrayLike, weight: ArrayLike) -> Doubles:
    """x @ weight over the last axis, in float64: [..., in] and [in, out] -> [..., out].

    ValueError if the depths differ.
    """
    x, weight = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    if weight.ndim != 2 or x.ndim < 1 or x.shape[-1] != weight.shape[0]:
        raise ValueError(f"x {x.shape} and weight {weight.shape} must be [..., in] and [in, out]")
    out: Doubles = x @ weight
    return out


def matmul(a: ArrayLike, b: ArrayLike) -> Doubles:
    """a @ b in float64: [*axes, m, k] and [*axes, k, n] -> [*axes, m, n].

    ValueError if the depths or the other axes differ.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim < 2 or a.shape[:-2] != b.shape[:-2] or a.shape[-1] != b.shape[-2]:
        raise ValueError(f"a {a.shape} and b {b.shape} must be [*axes, m, k] and [*axes, k, n]")
    out: Doubles = a @ b
    return out
