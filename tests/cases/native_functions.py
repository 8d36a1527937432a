"""What the native elementwise functions are tried on, and how far they may be off."""

from __future__ import annotations

import numpy as np

# Numbers that functions are tried on besides random ones: both zeros, denormal numbers, powers of
# ten up to float32's largest, ties of rounding.
_MAGNITUDES = (0.0, 1e-45, 1e-38, 1e-20, 1e-8, 1e-4, 0.5, 1.0, 1.5, 2.5, 4.0, 7.9, 20.0, 40.0, 88.0)
_LARGE = (88.8, 103.0, 104.0, 1e3, 8388609.0, 1e20, 3e38, np.inf)
SPECIAL = np.float32([s * x for x in (*_MAGNITUDES, *_LARGE) for s in (1, -1)] + [np.nan])

# (alpha, beta) of the functions that take them.
NUMBERS = {
    "leaky_relu": (0.2, 0.0),
    "elu": (1.3, 0.0),
    "celu": (0.7, 0.0),
    "selu": (1.6732632, 1.0507010),
    "hard_sigmoid": (0.2, 0.5),
    "thresholded_relu": (1.0, 0.0),
    "clip": (-0.75, 1.25),
    "power": (3.0, 0.0),
}

_ULP = 2.0**-23

# Bounds of |error| / max(|expected|, 1), in units of float32's last place, and why. Those not
# listed here are one rounding of an exact result, or select: half a unit.
FUNCTION_BOUNDS = {
    # Rational fits, within 5 units of their results (Eigen's figures). gelu multiplies the error of
    # erf near 1 (2 units with fused products, 3 without) by x / 2, up to 2.8.
    "tanh": 5,
    "erf": 5,
    "gelu": 9,
    # exp: a polynomial within 1 unit (Cephes), then two scalings; a quotient of it adds 1.5.
    "exp": 2,
    "sigmoid": 3,
    "silu": 4,
    "mish": 5,
    # exp of a cubic: the argument's own rounding, up to 2^-23 of an argument of 10, comes first.
    "gelu_tanh": 12,
    "elu": 3,
    "celu": 4,
    "selu": 4,
    # log: within 1 unit (Cephes); softplus takes it of a rounded sum and adds.
    "log": 2,
    "softplus": 4,
    # Two or three roundings each.
    "leaky_relu": 1,
    "softsign": 2,
    "hard_sigmoid": 2,
    "hard_swish": 3,
    # libm's, within 1 unit.
    "sin": 1,
    "cos": 1,
    "power": 1,
}


def bound(function: str) -> float:
    """Bound of |error| / max(|expected|, 1)."""
    return FUNCTION_BOUNDS.get(function, 0.5) * _ULP


# Bounds of |error| / (largest expected magnitude) of what sums many numbers. Sums are made in runs
# of 32: each adds at most 32 roundings to those of the runs, and random roundings cancel all but
# their square root.
REDUCTION_BOUNDS = {
    "reduce": 8 * _ULP,
    "pool": 8 * _ULP,
    "resample": 8 * _ULP,
    # A product's sum is made in one run of k, and its largest element need not be the one whose
    # terms cancel most.
    "matmul": 16 * _ULP,
    # The mean's error is taken out again; what stays are four roundings and those of the variance.
    "instance_norm": 8 * _ULP,
    "layer_norm": 8 * _ULP,
    # The exponential's two units on both sides, and the sum's.
    "softmax": 8 * _ULP,
}
