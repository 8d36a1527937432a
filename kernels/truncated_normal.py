"""Normals truncated to [-t, t] by the inverse distribution function of the same random words.

The map is monotonic in the word, so a sample keeps its place in the distribution as t changes, and
no value is drawn again. Source of the inverse: Wichura, Algorithm AS 241 (PPND16), Applied
Statistics 37 (1988), relative error about 1e-16.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kernels import philox
from kernels.native import random

_Doubles = NDArray[np.float64]

# Numerators and denominators of AS 241, highest power first.
_CENTRE = (
    (2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
     4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
     1.3314166789178437745e2, 3.3871328727963666080e0),
    (5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
     2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
     4.2313330701600911252e1, 1.0),
)  # fmt: skip
_MIDDLE = (
    (7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
     1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
     4.63033784615654529590e0, 1.42343711074968357734e0),
    (1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
     1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
     2.05319162663775882187e0, 1.0),
)  # fmt: skip
_TAIL = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
     2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
     5.46378491116411436990e0, 6.65790464350110377720e0),
    (2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
     7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
     5.99832206555887937690e-1, 1.0),
)  # fmt: skip


def truncated_normal(
    seed: int, start: int, count: int, size: int, truncation: float, stream: int = 0
) -> NDArray[np.float32]:
    """Normals in [-truncation, truncation]: [count, size] float32.

    Raises ValueError unless truncation is positive and finite.
    """
    if not (math.isfinite(truncation) and truncation > 0):
        raise ValueError(f"truncation={truncation} must be a positive number")
    if random.available():
        philox.check(seed, start, count, size, stream)
        kind = random.Kind.TRUNCATED_NORMALS
        return random.numbers(kind, seed, start, count, size, stream, truncation=truncation)
    integer = philox.folded(philox.words(seed, start, count, size, stream))
    # The middle of each of the 2^31 cells: never 0 or 1, so the inverse is finite.
    position = (integer.astype(np.float64) + 0.5) * 2.0**-31
    tail = 0.5 * math.erfc(truncation / math.sqrt(2.0))
    values = inverse_normal(tail + position * (1.0 - 2.0 * tail))
    # float32 rounding may step over the bound by half an ulp.
    bound = np.float32(truncation)
    return np.clip(values.astype(np.float32), -bound, bound)


def inverse_normal(probability: _Doubles) -> _Doubles:
    """The standard normal quantile of probabilities in (0, 1): same shape, float64."""
    centred = probability - 0.5
    r = np.sqrt(-np.log(np.minimum(probability, 1.0 - probability)))
    outer = np.where(r <= 5.0, _ratio(_MIDDLE, r - 1.6), _ratio(_TAIL, r - 5.0))
    inner = centred * _ratio(_CENTRE, 0.180625 - centred * centred)
    return np.where(np.abs(centred) <= 0.425, inner, np.copysign(outer, centred))


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: _Doubles) -> _Doubles:
    numerator, denominator = coefficients
    return np.polyval(numerator, x) / np.polyval(denominator, x)
