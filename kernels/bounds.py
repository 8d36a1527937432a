"""How far a fast path may be from the float64 reference: one table, each entry with its source.

For out = act(sum of `depth` products * scale + shift), converted to the output's type:

    allowed = L * (growth(depth) + 3) * unit * magnitude     the sum, scale, shift
            + L * product * magnitude                        products that are not exact
            + 4 * 2^-24                                      exponentials of tanh and sigmoid
            + unit_of_output * |reference| + tiny            the conversion

where magnitude = conv(|x|, |w|) * |scale| + |shift| in float64 (the condition of the sum: with
zero mean it is about sqrt(depth) times the result) and L is the activation's largest slope.
The operands are those the kernel gets: make x and w, round them to the operand type, and give the
rounded ones to the reference too. Call it so:

    reference = activation(convolution(x, w, geometry) * scale + shift, "relu")
    magnitude = convolution(abs(x), abs(w), geometry) * abs(scale) + abs(shift)
    allowed = tolerance(reference, magnitude, "fp16", "fp16", depth=taps * channels,
                        activation="relu")
    assert exceeds(out, reference, allowed) is None

growth(K) = min(K, 6 sqrt(K)): K steps in the worst case, and 6 sqrt(K) with probability
1 - 3e-8 an element if roundings are independent with mean zero (Higham, Mary: A new approach to
probabilistic rounding error analysis, SIAM J. Sci. Comput. 41, 2019, theorem 2.4, lambda = 6).
Tensor cores truncate instead, so their mean is not zero; but they add 16 products at a time, and
K / 16 truncations stay below 6 sqrt(K) up to K = 9216.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.reference.image import to_uint8

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How products are summed. `unit`: error of one addition; `product`: of one product.

    Both are relative, and `source` says where they come from.
    """

    unit: float
    product: float
    source: str


@dataclass(frozen=True, slots=True)
class Format:
    """A floating-point type of an output: unit roundoff, and half of the least distance."""

    unit: float
    tiny: float


ALGORITHMS: Mapping[str, Algorithm] = {
    "fp32": Algorithm(
        2.0**-24, 2.0**-24, "IEEE 754 binary32, round to nearest; the product may be rounded too"
    ),
    "tensor_core": Algorithm(
        2.0**-23,
        0.0,
        "products of fp16 (11 bits) and bf16 (8 bits) are exact in 24 bits; additions truncate "
        "(Fasi, Higham, Mikaitis, Pranesh: Numerical behavior of NVIDIA tensor cores, 2021)",
    ),
    "tf32x3": Algorithm(
        2.0**-23,
        3 * 2.0**-20,
        "x = big + small, each cut to the 11 bits of tf32: 2^-20 is lost of x, 2^-20 of w, and "
        "the product of the two small parts, below 2^-20, is left out",
    ),
    "tf32": Algorithm(2.0**-23, 2 * 2.0**-10, "x and w are cut to the 11 bits of tf32"),
    # An output is off by the roundings of its whole tile: `magnitude` is the largest of the map.
    "winograd_4_2": Algorithm(
        2.0**-24,
        100 * 2.0**-24,
        "F(4, 2) with the points 0, 1, -1, 2, infinity, on two axes: max over outputs of |A| (|G| "
        "1 * |B| 1) is 20, of a direct sum 2, so each axis can amplify roundings 10 times (after "
        "Barabasz, Anderson, Soodhalter, Gregg: Error analysis and improving the accuracy of "
        "Winograd convolution, 2020); seen are 20 units of the largest magnitude",
    ),
}

# A whole layer by Winograd: the error's 2-norm may be this part of the result's. Seen are 0.6e-6
# (16 channels of input) to 2.7e-6 (512) on two axes, against 0.1e-6 to 0.8e-6 of the direct sum.
WINOGRAD_BUDGET = 5e-6

# What a kernel does with operands of a type unless it says otherwise.
DEFAULT_ALGORITHM: Mapping[str, str] = {
    "fp16": "tensor_core",
    "bf16": "tensor_core",
    "fp32": "fp32",
}

# Unit roundoffs of IEEE 754 and bfloat16. Half of the least subnormal for fp16; bf16 and fp32 may
# be flushed to zero on GPUs, so there it is the least normal number.
FORMATS: Mapping[str, Format] = {
    "fp16": Format(2.0**-11, 2.0**-25),
    "bf16": Format(2.0**-8, 2.0**-126),
    "fp32": Format(2.0**-24, 2.0**-126),
}

# The largest slope. leaky_relu's is that of its own slope where this is above 1.
SLOPES: Mapping[str, float] = {
    "none": 1.0,
    "relu": 1.0,
    "leaky_relu": 1.0,
    "tanh": 1.0,
    "sigmoid": 0.25,
}

# tanh and sigmoid: one exponential (2 ulp in `ex2.approx.ftz.f32`, PTX ISA), one addition and one
# division (2 ulp in `div.full.f32`) of numbers of at most 1.
EXPONENTIAL = 4 * 2.0**-24

# Unit roundoff of fp32, in which all elementwise work is done.
UNIT = 2.0**-24

# Scale, shift and the activation's product: one fp32 rounding each.
_EPILOGUE_STEPS = 3


def growth(depth: int) -> float:
    """By what a unit roundoff grows over a sum of `depth` products (module docstring)."""
    return min(float(depth), 6.0 * math.sqrt(depth))


def tolerance(
    reference: ArrayLike,
    magnitude: ArrayLike,
    operand: str,
    output: str,
    *,
    depth: int,
    activation: str = "none",
    slope: float = 0.0,
    algorithm: str | None = None,
    value_range: tuple[float, float] = (-1.0, 1.0),
) -> Doubles:
    """The absolute error allowed at each element of an output, float64.

    reference: the float64 result before conversion to the output type. magnitude: see above.
    depth: the most products in a sum. algorithm: a name in ALGORITHMS; none means that of the
    operand type. output "uint8": in levels, against `to_uint8(reference, value_range)`, and zero
    where the error cannot cross a rounding boundary. ValueError for an unknown name.
    """
    reference = np.asarray(reference, np.float64)
    rule: Algorithm = _named(
        "algorithm", algorithm or _named("operand", operand, DEFAULT_ALGORITHM)
    )
    steepest = max(_named("activation", activation, SLOPES), abs(slope))
    relative = (growth(depth) + _EPILOGUE_STEPS) * rule.unit + rule.product
    error = steepest * relative * np.asarray(magnitude, np.float64)
    if activation in ("tanh", "sigmoid"):
        error = error + EXPONENTIAL
    return converted(reference, error, output, value_range)


def pointwise(
    reference: ArrayLike,
    magnitude: ArrayLike,
    output: str,
    *,
    steps: int,
    extra: ArrayLike = 0.0,
) -> Doubles:
    """The error allowed after `steps` fp32 operations, each rounded relative to `magnitude`.

    magnitude: the same expression of absolute values. extra: other absolute errors, such as
    `activation_error`. As `tolerance` for the output type.
    """
    error = steps * UNIT * np.asarray(magnitude, np.float64) + np.asarray(extra, np.float64)
    return converted(reference, error, output)


def norm_error(
    x: ArrayLike, centred: ArrayLike, deviation: ArrayLike, mean_size: ArrayLike, count: int
) -> Doubles:
    """Absolute error of (x - mean) / deviation in fp32, where `count` elements share the mean.

    centred is x - mean, mean_size the mean of |x|. The sum of the mean is off by growth(count)
    units of the mean size, the squares' sum by as much of itself, and eight roundings remain.
    """
    units = (growth(count) + 8) * UNIT
    size = np.abs(np.asarray(x, np.float64)) + np.asarray(mean_size, np.float64)
    error: Doubles = units * (size + np.abs(centred)) / np.asarray(deviation)
    return error


def activation_error(
    kind: str, x: ArrayLike, reference: ArrayLike, alpha: float = 0.0, beta: float = 0.0
) -> Doubles:
    """Absolute error of an activation's fp32 form at exact inputs x: same shape.

    From the PTX ISA: ex2.approx 2 ulp, lg2.approx 2^-22, div.full 2 ulp, sqrt.approx 2^-23; from
    CUDA's libdevice: sin, cos and erf 2 ulp. An exponential's argument is rounded before it, which
    costs |x| units of its result. Compositions add up; none is stated below 4 units.
    """
    x, reference = np.abs(np.asarray(x, np.float64)), np.abs(np.asarray(reference, np.float64))
    ones = np.ones_like(x)
    units = {
        "none": 0 * ones,
        "exp": (4 + 2 * x) * reference,
        "log": 4 * ones + 4 * reference,
        "softplus": 8 + 4 * reference,
        "silu": 4 * x,
        "mish": 12 * x,
        "gelu": 4 * x,
        "gelu_tanh": 8 * x,
        "elu": (8 + 4 * abs(alpha)) * (1 + reference),
        "celu": (8 + 4 * abs(alpha)) * (1 + reference),
        "selu": abs(beta) * (8 + 4 * abs(alpha)) * (1 + reference),
        "hard_sigmoid": 4 * (abs(alpha) * x + abs(beta)),
        "hard_swish": 4 * x,
        "power": (4 + 8 * abs(alpha) * (1 + np.abs(np.log(np.maximum(x, 1e-30))))) * reference,
        "tanh": 4 * ones,
        "sigmoid": 4 * ones,
    }.get(kind, 4 * reference)
    error: Doubles = units * UNIT
    return error


def converted(
    reference: ArrayLike,
    error: ArrayLike,
    output: str,
    value_range: tuple[float, float] = (-1.0, 1.0),
) -> Doubles:
    """Add the output type's rounding to an absolute error; as `tolerance` for "uint8"."""
    reference, error = np.asarray(reference, np.float64), np.asarray(error, np.float64)
    if output == "uint8":
        # Two fp32 operations on numbers up to 255 come before the rounding.
        low, high = value_range
        error = error + 3 * 2.0**-24 * (np.abs(reference) + abs(low) + abs(high))
        nearest = to_uint8(reference, value_range).astype(np.float64)
        lowest = to_uint8(reference - error, value_range)
        highest = to_uint8(reference + error, value_range)
        levels: Doubles = np.maximum(nearest - lowest, highest - nearest)
        return levels
    kind: Format = _named("output", output, FORMATS)
    allowed: Doubles = error + kind.unit * (np.abs(reference) + error) + kind.tiny
    return allowed


def exceeds(actual: ArrayLike, reference: ArrayLike, allowed: ArrayLike) -> str | None:
    """What is wrong with a result, at its worst element, or None if all is within its bound.

    NaN must stand exactly where the reference has it. Compare uint8 with `to_uint8(reference)`.
    """
    actual, reference = np.asarray(actual, np.float64), np.asarray(reference, np.float64)
    if actual.shape != reference.shape:
        return f"shape {actual.shape}, expected {reference.shape}"
    if not actual.size:
        return None
    # Equal infinities and NaN in both places are no difference.
    same = (actual == reference) | (np.isnan(actual) & np.isnan(reference))
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0.0, np.abs(actual - reference))
    error = np.where(np.isnan(error), np.inf, error)
    allowed = np.broadcast_to(np.asarray(allowed, np.float64), error.shape)
    allowed = np.where(np.isnan(allowed), 0.0, allowed)
    wrong = error > allowed
    if not wrong.any():
        return None
    place = np.unravel_index(np.argmax(np.where(wrong, error - allowed, -1.0)), error.shape)
    return (
        f"{int(wrong.sum())} of {error.size} elements are out of bounds; at "
        f"{tuple(map(int, place))}: {actual[place]:.9g}, expected {reference[place]:.9g} "
        f"within {allowed[place]:.3g}, off by {error[place]:.3g}"
    )


def _named(what: str, name: str, table: Mapping[str, Any] = ALGORITHMS) -> Any:
    if name not in table:
        raise ValueError(f"{what} {name!r} is not one of {', '.join(table)}")
    return table[name]
