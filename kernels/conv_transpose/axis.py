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
    """The constants of a kernel over three axes, outermost first: SIZE_0, OUT_0, .., TRANSPOSED."""
    full = geometry.as_3d()
    transposed = full.direction == "transposed"
    constants: dict[str, Constant] = {"TRANSPOSED": transposed}
    for axis in range(3):
        stride, dilation = full.stride[axis], full.dilation[axis]
        common = math.gcd(stride, dilation)
        tap_step = stride // common if transposed else 1
        constants |= {
            f"SIZE_{axis}": full.input_size[axis],
            f"OUT_{axis}": full.output_size[axis],
            f"KERNEL_{axis}": full.kernel[axis],
            f"STRIDE_{axis}": stride,
            f"PADDING_{axis}": full.padding[axis],
            f"DILATION_{axis}": dilation,
            f"TAP_STEP_{axis}": tap_step,
            f"SOURCE_STEP_{axis}": -dilation // common if transposed else dilation,
            # Solves dilation * k = position + padding (modulo stride).
            f"INVERSE_{axis}": pow(dilation // common, -1, tap_step) if transposed else 0,
        }
    return constants


@triton.jit
def axis_taps(
    position,
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
    """First tap inside the map, its input, and the number of taps, of one output position."""
    if TRANSPOSED:
        BACK: tl.constexpr = -SOURCE_STEP
        COMMON: tl.constexpr = DILATION // BACK
        raised = position + PADDING
        first = (raised // COMMON * INVERSE) % TAP_STEP
        reach = raised - DILATION * first
        source = tl.where(reach < 0, -1, tl.maximum(reach, 0) // STRIDE)
        skipped = (tl.maximum(source - (SIZE - 1), 0) + (BACK - 1)) // BACK
        end_of_map = tl.where(source < 0, 0, tl.maximum(source, 0) // BACK + 1)
        end_of_taps = (tl.maximum(KERNEL - first, 0) + (TAP_STEP - 1)) // TAP_STEP
        count = tl.maximum(tl.minimum(end_of_map, end_of_taps) - skipped, 0)
        if COMMON > 1:
            count = tl.where(raised % COMMON == 0, count, 0)
        first += skipped * TAP_STEP
        source -= skipped * BACK
    else:
        source = position * STRIDE - PADDING
        first = (tl.maximum(-source, 0) + (DILATION - 1)) // DILATION
        end = (tl.maximum(SIZE - source, 0) + (DILATION - 1)) // DILATION
        count = tl.maximum(tl.minimum(end, KERNEL) - first, 0)
        source += first * DILATION
    return first, source, count
