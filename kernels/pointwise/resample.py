"""Positions along one axis mixed with fixed weights: bilinear, bicubic and any other interpolation.

    out[o, n, i] = sum over t of weight[n, t] * x[o, place[n, t], i]

x [outer, old, inner] -> out [outer, new, inner], weights [new, taps] fp32 and places [new, taps]
int32, packed once from a matrix [new, old]: its rows are sparse (2 taps for bilinear, 4 for
bicubic), so this reads what a matrix product with zeros would not need. Bytes: x and out once an
axis. Nearest upsampling by whole factors is a plain move (`kernels.pointwise.moves.upsample`).
Reference: `kernels.reference.resampling.resample`.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import triton
import triton.language as tl
from numpy.typing import ArrayLike
from torch import Tensor

from kernels.arguments import check_device
from kernels.launch import Launch
from kernels.pointwise.checks import check, output
from kernels.pointwise.walk import batch_ranges

BLOCK = 1024


@triton.jit(do_not_specialize=["outer"])
def resample_kernel(
    x_ptr,
    weight_ptr,
    place_ptr,
    out_ptr,
    outer,
    OLD: tl.constexpr,
    NEW: tl.constexpr,
    INNER: tl.constexpr,
    TAPS: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """BLOCK neighbouring elements of the output."""
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inner = index % INNER
    position = (index // INNER) % NEW
    row = index // (INNER * NEW)
    mask = row < outer
    acc = tl.zeros((BLOCK,), tl.float32)
    for tap in range(TAPS):
        place = tl.load(place_ptr + position * TAPS + tap, mask=mask, other=0)
        weight = tl.load(weight_ptr + position * TAPS + tap, mask=mask, other=0.0)
        offsets = (row * OLD + place) * INNER + inner
        acc += weight * tl.load(x_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
    tl.store(out_ptr + index, acc.to(out_ptr.dtype.element_ty), mask=mask)


def pack_matrix(matrix: ArrayLike, device: torch.device | str) -> tuple[Tensor, Tensor]:
    """The non-zero elements of a matrix [new, old]: weights and places [new, taps].

    Shorter rows are filled with weight 0 at their own first place, so a NaN elsewhere stays there.
    ValueError unless it is a matrix with elements.
    """
    dense = np.asarray(matrix, np.float32)
    if dense.ndim != 2 or not dense.shape[1]:
        raise ValueError(f"matrix {dense.shape} must be [new, old]")
    taps = max(1, int((dense != 0).sum(axis=1).max(initial=1)))
    places = np.argsort(dense == 0, axis=1, kind="stable")[:, :taps]
    weights = np.take_along_axis(dense, places, axis=1)
    places = np.where(weights == 0, places[:, :1], places).astype(np.int32)
    return torch.from_numpy(weights.copy()).to(device), torch.from_numpy(places).to(device)


def resample_launches(
    x: Tensor, weight: Tensor, place: Tensor, axis: int, out: Tensor
) -> tuple[Launch, ...]:
    """Launches along one axis (with the batch as 0) of checked tensors."""
    outer, inner = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1 :])
    old, new = x.shape[axis], out.shape[axis]
    if not new * inner:
        return ()
    source, target = x.view(outer, old, inner), out.view(outer, new, inner)
    return tuple(
        Launch(
            name="resample",
            kernel=resample_kernel,
            grid=(triton.cdiv((last - first) * new * inner, BLOCK), 1, 1),
            arguments={
                "x_ptr": source[first:last],
                "weight_ptr": weight,
                "place_ptr": place,
                "out_ptr": target[first:last],
                "outer": last - first,
            },
            constants={
                "OLD": old,
                "NEW": new,
                "INNER": inner,
                "TAPS": weight.shape[1],
                "BLOCK": BLOCK,
            },
            num_stages=1,
        )
        for first, last in batch_ranges(outer, old * inner, new * inner)
    )


def resample(
    x: Tensor, packed: tuple[Tensor, Tensor], axis: int, *, out: Tensor | None = None
) -> Tensor:
    """One axis, counted without the batch, by what `pack_matrix` made: x [batch, *shape].

    ValueError if the axis is not there or packed tensors do not fit, and for what `check` refuses.
    Places are not checked against x: pack the matrix for this size.
    """
    check(x=x)
    weight, place = packed
    if not 0 <= axis < x.ndim - 1:
        raise ValueError(f"axis={axis} must be one of the {x.ndim - 1} axes")
    if weight.dtype != torch.float32 or place.dtype != torch.int32 or weight.shape != place.shape:
        raise ValueError(
            f"weights {tuple(weight.shape)} {weight.dtype} and places {tuple(place.shape)} "
            f"{place.dtype} must be [new, taps] float32 and int32, from pack_matrix"
        )
    check_device(x, weight, place)
    shape = list(x.shape)
    shape[axis + 1] = weight.shape[0]
    out = output(out, shape, x, weight, place)
    for launch in resample_launches(x, weight, place, axis + 1, out):
        launch.run()
    return out
