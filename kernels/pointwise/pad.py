"""Elements added around a map, or cut off: constant, reflect, edge, wrap.

    out[o] = x[m(o - before)],  m: inside as it is; outside a number, or the mode's own element

x [batch, *shape] and out [batch, *padded], one read and one write of each element. A constant zero
padding before a convolution is better said in its geometry, which costs nothing. Reference:
`kernels.reference.layout.pad`; modes as in numpy and ONNX Pad.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

import triton
import triton.language as tl
from torch import Tensor

from kernels.launch import Constant, Launch
from kernels.pointwise.checks import check, output
from kernels.pointwise.walk import batch_ranges

Mode = Literal["constant", "reflect", "edge", "wrap"]
AXES = 4
BLOCK = 1024


@triton.jit
def source(place, SIZE: tl.constexpr, OUT: tl.constexpr, BEFORE: tl.constexpr, MODE: tl.constexpr):
    """The element of an axis that an output place stands for; in "constant" mode it may be outside.

    An axis without padding is left as it is, so that the compiler still sees runs along it.
    """
    if SIZE != OUT or BEFORE != 0:
        place = place - BEFORE
        if MODE == "reflect":
            # Not abs: the compiler follows equal neighbours through a choice, not through that.
            place = tl.where(place < 0, -place, place)
            place = tl.where(place >= SIZE, 2 * (SIZE - 1) - place, place)
        elif MODE == "edge":
            place = tl.minimum(tl.maximum(place, 0), SIZE - 1)
        elif MODE == "wrap":
            # Never below -SIZE, so the remainder is that of a positive number.
            place = (place + SIZE) % SIZE
    return place


@triton.jit(do_not_specialize=["samples"])
def pad_kernel(
    x_ptr,
    out_ptr,
    samples,
    SIZE: tl.constexpr,
    OUT: tl.constexpr,
    BEFORE: tl.constexpr,
    MODE: tl.constexpr,
    VALUE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """BLOCK neighbouring elements of the output."""
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    o_3 = index % OUT[3]
    rest = index // OUT[3]
    o_2 = rest % OUT[2]
    rest = rest // OUT[2]
    o_1 = rest % OUT[1]
    rest = rest // OUT[1]
    sample = rest // OUT[0]
    i_0 = source(rest % OUT[0], SIZE[0], OUT[0], BEFORE[0], MODE)
    i_1 = source(o_1, SIZE[1], OUT[1], BEFORE[1], MODE)
    i_2 = source(o_2, SIZE[2], OUT[2], BEFORE[2], MODE)
    i_3 = source(o_3, SIZE[3], OUT[3], BEFORE[3], MODE)
    mask = sample < samples
    inside = mask & (i_0 >= 0) & (i_0 < SIZE[0]) & (i_1 >= 0) & (i_1 < SIZE[1])
    inside = inside & (i_2 >= 0) & (i_2 < SIZE[2]) & (i_3 >= 0) & (i_3 < SIZE[3])
    offsets = (((sample * SIZE[0] + i_0) * SIZE[1] + i_1) * SIZE[2] + i_2) * SIZE[3] + i_3
    value = tl.load(x_ptr + offsets, mask=inside, other=0.0).to(tl.float32)
    value = tl.where(inside, value, VALUE)
    tl.store(out_ptr + index, value.to(out_ptr.dtype.element_ty), mask=mask)


def pad_launches(
    x: Tensor, before: Sequence[int], out: Tensor, mode: Mode = "constant", value: float = 0.0
) -> tuple[Launch, ...]:
    """Launches for checked tensors of at most AXES axes without the batch."""
    blank = AXES - (x.ndim - 1)
    sizes, outs = (1,) * blank + tuple(x.shape[1:]), (1,) * blank + tuple(out.shape[1:])
    lows = (0,) * blank + tuple(before)
    constants: dict[str, Constant] = {
        "SIZE": sizes,
        "OUT": outs,
        "BEFORE": lows,
        "MODE": mode,
        "VALUE": value,
        "BLOCK": BLOCK,
    }
    elements = math.prod(outs)
    if not elements:
        return ()
    return tuple(
        Launch(
            name=f"pad_{mode}",
            kernel=pad_kernel,
            grid=(triton.cdiv((last - first) * elements, BLOCK), 1, 1),
            arguments={
                "x_ptr": x[first:last],
                "out_ptr": out[first:last],
                "samples": last - first,
            },
            constants=constants,
            num_stages=1,
        )
        for first, last in batch_ranges(x.shape[0], elements, math.prod(sizes))
    )


def pad(
    x: Tensor,
    before: Sequence[int],
    after: Sequence[int],
    mode: Mode = "constant",
    value: float = 0.0,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Elements around every axis but the batch, or cut off where a number is negative.

    x [batch, *shape] of up to 4 axes, one number an axis. ValueError for an unknown mode, numbers
    that do not fit (reflect: at most size - 1, edge: an element to repeat, wrap: at most size;
    these three do not cut), and what `check` refuses.
    """
    check(x=x)
    if mode not in get_args(Mode):
        raise ValueError(f"mode={mode!r} is not one of {', '.join(get_args(Mode))}")
    shape = tuple(x.shape[1:])
    if not 1 <= len(shape) <= AXES or len(before) != len(shape) or len(after) != len(shape):
        raise ValueError(
            f"before={tuple(before)} and after={tuple(after)} must be one number for each of the "
            f"{len(shape)} axes, of which there may be {AXES}"
        )
    for size, low, high in zip(shape, before, after, strict=True):
        most = {"reflect": size - 1, "wrap": size, "edge": math.inf if size else 0}.get(
            mode, math.inf
        )
        cuts = min(low, high) < 0
        if size + min(low, 0) + min(high, 0) < 0 or (mode != "constant" and cuts):
            raise ValueError(
                f"before={low} and after={high} cut what is not there, or in {mode} mode"
            )
        if max(low, high, 0) > max(most, 0):
            raise ValueError(f"before={low} and after={high} are too many for size {size} ({mode})")
    sizes = [size + low + high for size, low, high in zip(shape, before, after, strict=True)]
    out = output(out, (x.shape[0], *sizes), x)
    for launch in pad_launches(x, before, out, mode, value):
        launch.run()
    return out
