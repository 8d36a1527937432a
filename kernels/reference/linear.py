"""The linear layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def linear(x: ArrayLike, weight: ArrayLike) -> NDArray[np.float64]:
    """x @ weight over the last axis, in float64: [..., in] and [in, out] -> [..., out].

    ValueError if the depths differ.
    """
    x, weight = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    if weight.ndim != 2 or x.ndim < 1 or x.shape[-1] != weight.shape[0]:
        raise ValueError(f"x {x.shape} and weight {weight.shape} must be [..., in] and [in, out]")
    out: NDArray[np.float64] = x @ weight
    return out
