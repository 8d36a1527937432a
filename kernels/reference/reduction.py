"""Many elements to one, and softmax."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]

REDUCTIONS: Mapping[str, Callable[..., Any]] = {
    "mean": np.mean,
    "sum": np.sum,
    "max": np.max,
    "min": np.min,
}


def reduce(x: ArrayLike, function: str, axes: Sequence[int]) -> Doubles:
    """The mean, sum, max or min over axes, which stay, with size 1; NaN passes through.

    ValueError for another function, or an empty axis that has no such number.
    """
    if function not in REDUCTIONS:
        raise ValueError(f"function {function!r} is not one of {', '.join(REDUCTIONS)}")
    x = np.asarray(x, np.float64)
    if function != "sum" and any(x.shape[axis] == 0 for axis in axes):
        raise ValueError(f"x {x.shape} has nothing to take the {function} of along {tuple(axes)}")
    out: Doubles = REDUCTIONS[function](x, axis=tuple(axes), keepdims=True)
    return out


def softmax(x: ArrayLike) -> Doubles:
    """exp(x) / sum(exp(x)) over the last axis, without overflow."""
    x = np.asarray(x, np.float64)
    if not x.size:
        return x
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    out: Doubles = weights / weights.sum(axis=-1, keepdims=True)
    return out
