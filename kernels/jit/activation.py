"""Every activation of a Program on float32 values, for kernels that stand alone."""

from __future__ import annotations

import triton
import triton.language as tl

from kernels.jit.epilogue import activate


@triton.jit
def round_even(value):
    """To the nearest integer, half to even; numbers of 2^22 and more are integers or near it.

    Adding 1.5 * 2^23 leaves no bits for a fraction (there is no rint without libdevice).
    """
    rounded = (value + 12582912.0) - 12582912.0
    # From 2^23 on every float32 is an integer; between, one bit of fraction is left.
    large = tl.abs(value) >= 4194304.0
    down = tl.floor(value)
    odd = (down - 2.0 * tl.floor(down * 0.5)) != 0.0
    half = value - down
    up = (half > 0.5) | ((half == 0.5) & odd)
    return tl.where(large, tl.where(up, down + 1.0, down), rounded)


@triton.jit
def power(value, EXPONENT: tl.constexpr):
    """value ** EXPONENT. Small whole exponents and halves are exact products and roots."""
    if EXPONENT == 0.0:
        result = value * 0.0 + 1.0
        result = tl.where(result == result, result, 1.0)
    elif EXPONENT == 1.0:
        result = value
    elif EXPONENT == 2.0:
        result = value * value
    elif EXPONENT == 3.0:
        result = value * value * value
    elif EXPONENT == 0.5:
        result = tl.sqrt(value)
    elif EXPONENT == -0.5:
        result = 1.0 / tl.sqrt(value)
    elif EXPONENT == -1.0:
        result = 1.0 / value
    else:
        size = tl.exp2(EXPONENT * tl.log2(tl.abs(value)))
        if EXPONENT % 2.0 == 0.0:
            result = size
        elif EXPONENT % 1.0 == 0.0:
            result = tl.where(value < 0.0, -size, size)
        else:
            result = tl.where(value < 0.0, float("nan"), size)
    return result


@triton.jit
def softplus(value):
    """log(1 + exp(x)) without overflow; below -10 the series, for the sum would lose it."""
    small = tl.exp(-tl.abs(value))
    series = small * (1.0 - small * 0.5)
    line = tl.where(value < 0.0, 0.0, value)
    return line + tl.where(small < 1e-4, series, tl.log(1.0 + small))


@triton.jit
def evaluate(value, KIND: tl.constexpr, ALPHA: tl.constexpr, BETA: tl.constexpr):
    """The activation `KIND` of `kernels.reference.activation` on float32 values; NaN stays NaN.

    A bound of clip that is infinite is None.
    """
    if KIND == "elu":
        value = tl.where(value < 0.0, ALPHA * (tl.exp(value) - 1.0), value)
    elif KIND == "celu":
        value = tl.where(value < 0.0, ALPHA * (tl.exp(value / ALPHA) - 1.0), value)
    elif KIND == "selu":
        value = BETA * tl.where(value < 0.0, ALPHA * (tl.exp(value) - 1.0), value)
    elif KIND == "softplus":
        value = softplus(value)
    elif KIND == "softsign":
        value = value / (1.0 + tl.abs(value))
    elif KIND == "mish":
        value = value * activate(softplus(value), "tanh", 0.0)
    elif KIND == "silu":
        value = value * activate(value, "sigmoid", 0.0)
    elif KIND == "gelu":
        value = 0.5 * value * (1.0 + tl.erf(value * 0.7071067811865476))
    elif KIND == "gelu_tanh":
        inner = 0.7978845608028654 * (value + 0.044715 * value * value * value)
        value = 0.5 * value * (1.0 + activate(inner, "tanh", 0.0))
    elif KIND == "hard_sigmoid":
        line = ALPHA * value + BETA
        line = tl.where(line < 0.0, 0.0, line)
        value = tl.where(line > 1.0, 1.0, line)
    elif KIND == "hard_swish":
        line = value * 0.16666666666666666 + 0.5
        line = tl.where(line < 0.0, 0.0, line)
        value = value * tl.where(line > 1.0, 1.0, line)
    elif KIND == "thresholded_relu":
        value = tl.where(value <= ALPHA, 0.0, value)
    elif KIND == "clip":
        if ALPHA is not None:
            value = tl.where(value < ALPHA, ALPHA, value)
        if BETA is not None:
            value = tl.where(value > BETA, BETA, value)
    elif KIND == "exp":
        value = tl.exp(value)
    elif KIND == "log":
        value = tl.log(value)
    elif KIND == "sqrt":
        value = tl.sqrt(value)
    elif KIND == "reciprocal":
        value = 1.0 / value
    elif KIND == "abs":
        value = tl.abs(value)
    elif KIND == "neg":
        value = -value
    elif KIND == "erf":
        value = tl.erf(value)
    elif KIND == "sin":
        value = tl.sin(value)
    elif KIND == "cos":
        value = tl.cos(value)
    elif KIND == "power":
        value = power(value, ALPHA)
    elif KIND == "floor":
        value = tl.floor(value)
    elif KIND == "ceil":
        value = tl.ceil(value)
    elif KIND == "round":
        value = round_even(value)
    elif KIND == "sign":
        value = tl.where(value > 0.0, 1.0, tl.where(value < 0.0, -1.0, value))
    else:
        value = activate(value, KIND, ALPHA)
    return value
