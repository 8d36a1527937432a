"""Which taps meet an output position along one axis, and where: constants and device function.

The taps that fall inside the map are an arithmetic progression, and so are their inputs:

    tap t of count:  k = first + t * TAP_STEP,  input = source + t * SOURCE_STEP

so a kernel walks over them with additions alone. Forward: TAP_STEP is 1 and SOURCE_STEP the
dilation. Transposed, with g = gcd(stride, dilation): TAP_STEP is stride / g and SOURCE_STEP is
-dilation / g; outputs whose position plus padding is no multiple of g meet no tap.
"""

from __future__ import annotations

import math

import triton
import triton.language as tl

from kernels.geometry import Geometry
from kernels.launch import Constant


def axis_constants(geometry: Geometry) -> dict[str, Constant]:
    """The geometry as constants of a kernel, each a tuple over three axes, outermost first."""
    full = geometry.as_3d()
    return {
        "TRANSPOSED": full.direction == "transposed",
        "SIZE": full.input_size,
        "OUT": full.output_size,
        "KERNEL": full.kernel,
        "STRIDE": full.stride,
        "PADDING": full.padding,
        "DILATION": full.dilation,
    }


def tap_constants(geometry: Geometry) -> dict[str, Constant]:
    """The constants of `axis_taps` beyond the geometry, tuples over three axes."""
    full = geometry.as_3d()
    if full.direction == "forward":
        return {"TAP_STEP": (1, 1, 1), "SOURCE_STEP": full.dilation, "INVERSE": (0, 0, 0)}
    pairs = zip(full.stride, full.dilation, strict=True)
    steps = [(s // math.gcd(s, d), d // math.gcd(s, d)) for s, d in pairs]
    return {
        "TAP_STEP": tuple(stride for stride, _ in steps),
        "SOURCE_STEP": tuple(-dilation for _, dilation in steps),
        # Solves dilation * k = position + padding (modulo stride).
        "INVERSE": tuple(pow(dilation, -1, stride) for stride, dilation in steps),
    }


@triton.jit
def axis_taps(
    position,
    AXIS: tl.constexpr,
    TRANSPOSED: tl.constexpr,
    SIZE: tl.constexpr,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    PADDING: tl.constexpr,
    DILATION: tl.constexpr,
    TAP_STEP: tl.constexpr,
    SOURCE_STEP: tl.constexpr,
    INVERSE: tl.constexpr,
):
    """First tap inside the map, its input, and the number of taps, of a position on an axis."""
    if TRANSPOSED:
        BACK: tl.constexpr = -SOURCE_STEP[AXIS]
        COMMON: tl.constexpr = DILATION[AXIS] // BACK
        raised = position + PADDING[AXIS]
        first = (raised // COMMON * INVERSE[AXIS]) % TAP_STEP[AXIS]
        reach = raised - DILATION[AXIS] * first
        source = tl.where(reach < 0, -1, tl.maximum(reach, 0) // STRIDE[AXIS])
        skipped = (tl.maximum(source - (SIZE[AXIS] - 1), 0) + (BACK - 1)) // BACK
        end_of_map = tl.where(source < 0, 0, tl.maximum(source, 0) // BACK + 1)
        end_of_taps = (tl.maximum(KERNEL[AXIS] - first, 0) + (TAP_STEP[AXIS] - 1)) // TAP_STEP[AXIS]
        count = tl.maximum(tl.minimum(end_of_map, end_of_taps) - skipped, 0)
        if COMMON > 1:
            count = tl.where(raised % COMMON == 0, count, 0)
        first += skipped * TAP_STEP[AXIS]
        source -= skipped * BACK
    else:
        source = position * STRIDE[AXIS] - PADDING[AXIS]
        first = (tl.maximum(-source, 0) + (DILATION[AXIS] - 1)) // DILATION[AXIS]
        end = (tl.maximum(SIZE[AXIS] - source, 0) + (DILATION[AXIS] - 1)) // DILATION[AXIS]
        count = tl.maximum(tl.minimum(end, KERNEL[AXIS]) - first, 0)
        source += first * DILATION[AXIS]
    return first, source, count
