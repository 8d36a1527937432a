"""The end of every fused layer: activation, then conversion to the output's type."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def activate(value, ACTIVATION: tl.constexpr, SLOPE: tl.constexpr):
    """none, relu, leaky_relu, tanh or sigmoid of float32 values.

    tanh is 1 - 2 / (exp(2x) + 1): libdevice's crashes the interpreter; this saturates as it should
    (exp overflows to infinity) and is exact to 1.2e-7. NaN stays NaN in all of them.
    """
    if ACTIVATION == "relu":
        value = tl.where(value < 0.0, 0.0, value)
    elif ACTIVATION == "leaky_relu":
        value = tl.where(value < 0.0, value * SLOPE, value)
    elif ACTIVATION == "tanh":
        value = 1.0 - 2.0 / (tl.exp(2.0 * value) + 1.0)
    elif ACTIVATION == "sigmoid":
        value = 1.0 / (1.0 + tl.exp(-value))
    return value


@triton.jit
def convert(value, OUTPUT: tl.constexpr, IMAGE_SCALE: tl.constexpr, IMAGE_SHIFT: tl.constexpr):
    """float32 values to fp16, bf16, fp32 or uint8.

    uint8 is value * IMAGE_SCALE + IMAGE_SHIFT, rounded half to even by adding and taking away
    1.5 * 2^23 (there is no rint without libdevice), and clipped to 0 .. 255; NaN becomes 0.
    """
    if OUTPUT == "uint8":
        value = value * IMAGE_SCALE + IMAGE_SHIFT
        value = tl.minimum(tl.maximum(value, 0.0), 255.0)
        value = (value + 12582912.0) - 12582912.0
        value = value.to(tl.uint8)
    elif OUTPUT == "fp16":
        value = value.to(tl.float16)
    elif OUTPUT == "bf16":
        value = value.to(tl.bfloat16)
    return value
