"""Windows of positions reduced to one, per channel: max and mean.

    out[n, o, c] = max or mean over taps k of x[n, s * o + d * k - p, c]     (kernels.geometry)

x [batch, *input_size, channels] -> [batch, *output_size, channels]. Bytes: x and out once; the taps
that overlap come from cache. Positions outside the map do not take part; a mean divides by those
inside, or by all taps. Reference: `kernels.reference.pooling`.
"""

from __future__ import annotations

from typing import Literal

import triton
import triton.language as tl
from torch import Tensor

from kernels.geometry import Geometry
from kernels.launch import Constant, Launch
from kernels.pointwise.checks import check, output
from kernels.pointwise.walk import batch_ranges

BLOCK = 1024


@triton.jit(do_not_specialize=["samples"])
def pool_kernel(
    x_ptr,
    out_ptr,
    samples,
    SIZE: tl.constexpr,
    OUT: tl.constexpr,
    KERNEL: tl.constexpr,
    STRIDE: tl.constexpr,
    PADDING: tl.constexpr,
    DILATION: tl.constexpr,
    CHANNELS: tl.constexpr,
    FUNCTION: tl.constexpr,
    COUNT_OUTSIDE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """BLOCK neighbouring elements of the output."""
    TAPS: tl.constexpr = KERNEL[0] * KERNEL[1] * KERNEL[2]
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel = index % CHANNELS
    rest = index // CHANNELS
    o_2 = rest % OUT[2]
    rest = rest // OUT[2]
    o_1 = rest % OUT[1]
    rest = rest // OUT[1]
    o_0 = rest % OUT[0]
    sample = rest // OUT[0]
    mask = sample < samples
    if FUNCTION == "max":
        acc = tl.full((BLOCK,), float("-inf"), tl.float32)
    else:
        acc = tl.zeros((BLOCK,), tl.float32)
    count = tl.full((BLOCK,), TAPS if COUNT_OUTSIDE else 0, tl.float32)
    for tap in range(TAPS):
        i_0 = o_0 * STRIDE[0] + DILATION[0] * (tap // (KERNEL[1] * KERNEL[2])) - PADDING[0]
        i_1 = o_1 * STRIDE[1] + DILATION[1] * ((tap // KERNEL[2]) % KERNEL[1]) - PADDING[1]
        i_2 = o_2 * STRIDE[2] + DILATION[2] * (tap % KERNEL[2]) - PADDING[2]
        inside = mask & (i_0 >= 0) & (i_0 < SIZE[0]) & (i_1 >= 0) & (i_1 < SIZE[1])
        inside = inside & (i_2 >= 0) & (i_2 < SIZE[2])
        offsets = (((sample * SIZE[0] + i_0) * SIZE[1] + i_1) * SIZE[2] + i_2) * CHANNELS + channel
        value = tl.load(x_ptr + offsets, mask=inside, other=0.0).to(tl.float32)
        if FUNCTION == "max":
            # NaN wins: it is not above anything, and nothing is above it.
            wins = (value > acc) | (value != value)
            acc = tl.where(inside & wins, value, acc)
        else:
            acc += value
            if not COUNT_OUTSIDE:
                count += tl.where(inside, 1.0, 0.0)
    if FUNCTION == "mean":
        acc = acc / count
    tl.store(out_ptr + index, acc.to(out_ptr.dtype.element_ty), mask=mask)


def pool_launches(
    function: Literal["mean", "max"],
    x: Tensor,
    geometry: Geometry,
    out: Tensor,
    count_outside: bool = False,
) -> tuple[Launch, ...]:
    """Launches for checked tensors."""
    wide, channels = geometry.as_3d(), x.shape[-1]
    constants: dict[str, Constant] = {
        "SIZE": wide.input_size,
        "OUT": wide.output_size,
        "KERNEL": wide.kernel,
        "STRIDE": wide.stride,
        "PADDING": wide.padding,
        "DILATION": wide.dilation,
        "CHANNELS": channels,
        "FUNCTION": function,
        "COUNT_OUTSIDE": count_outside,
        "BLOCK": BLOCK,
    }
    elements = geometry.positions_out * channels
    if not elements:
        return ()
    return tuple(
        Launch(
            name=f"pool_{function}",
            kernel=pool_kernel,
            grid=(triton.cdiv((last - first) * elements, BLOCK), 1, 1),
            arguments={
                "x_ptr": x[first:last],
                "out_ptr": out[first:last],
                "samples": last - first,
            },
            constants=constants,
            num_stages=1,
        )
        for first, last in batch_ranges(x.shape[0], elements, geometry.positions_in * channels)
    )


def pool(
    function: Literal["mean", "max"],
    x: Tensor,
    geometry: Geometry,
    *,
    count_outside: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """The mean or max of each window; `count_outside` divides a mean by all taps.

    A window outside the map is NaN (mean) or -infinity (max). ValueError for another function, a
    geometry that is not forward or not of x, and what `check` refuses.
    """
    check(x=x)
    if function not in ("mean", "max"):
        raise ValueError(f"function={function!r} is not one of mean, max")
    if geometry.direction != "forward" or tuple(x.shape[1:-1]) != geometry.input_size:
        raise ValueError(
            f"x {tuple(x.shape)} must be [batch, *{geometry.input_size}, channels] of a forward "
            f"geometry, not {geometry.direction}"
        )
    out = output(out, (x.shape[0], *geometry.output_size, x.shape[-1]), x)
    for launch in pool_launches(function, x, geometry, out, count_outside):
        launch.run()
    return out
