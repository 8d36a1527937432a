"""Convolution, forward and transposed, tap by tap: the formula of `kernels.geometry`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.geometry import Geometry

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


def convolution(x: ArrayLike, weight: ArrayLike, geometry: Geometry, groups: int = 1) -> Doubles:
    """Sum over taps and channels, channels last, in float64.

    x [batch, *input_size, in], weight [*kernel, in / groups, out] ->
    [batch, *output_size, out]. ValueError if shapes, groups and geometry do not fit together.
    """
    x, weight = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    _check(x.shape, weight.shape, geometry, groups)
    batch, depth, width = x.shape[0], weight.shape[-2], weight.shape[-1]
    x = x.reshape(batch, *geometry.input_size, groups, 1, depth)
    weight = weight.reshape(*geometry.kernel, depth, groups, width // groups)
    weight = np.moveaxis(weight, -2, -3)
    out = np.zeros((batch, *geometry.output_size, groups, 1, width // groups))
    for tap in np.ndindex(geometry.kernel):
        meetings = [meeting(geometry, axis, k) for axis, k in enumerate(tap)]
        sources = np.ix_(np.arange(batch), *(inputs for inputs, _ in meetings))
        targets = np.ix_(np.arange(batch), *(outputs for _, outputs in meetings))
        # No output meets one tap twice, so the places of `targets` differ and += is safe.
        out[targets] += x[sources] @ weight[tap]
    return out.reshape(batch, *geometry.output_size, width)


def meeting(geometry: Geometry, axis: int, tap: int) -> tuple[Integers, Integers]:
    """Inputs and the outputs they meet through one tap along an axis, both inside the map."""
    outputs = np.arange(geometry.output_size[axis])
    stride, padding = geometry.stride[axis], geometry.padding[axis]
    reach = geometry.dilation[axis] * tap
    if geometry.direction == "forward":
        inputs, rest = stride * outputs + reach - padding, np.zeros_like(outputs)
    else:
        inputs, rest = np.divmod(outputs + padding - reach, stride)
    met = (rest == 0) & (inputs >= 0) & (inputs < geometry.input_size[axis])
    return inputs[met], outputs[met]


def _check(x: tuple[int, ...], weight: tuple[int, ...], geometry: Geometry, groups: int) -> None:
    rank = geometry.rank
    if len(x) != rank + 2 or x[1:-1] != geometry.input_size:
        raise ValueError(f"x {x} must be [batch, *{geometry.input_size}, channels]")
    if len(weight) != rank + 2 or weight[:-2] != geometry.kernel:
        raise ValueError(f"weight {weight} must be [*{geometry.kernel}, in / groups, out]")
    if groups < 1 or x[-1] % groups or weight[-1] % groups or weight[-2] * groups != x[-1]:
        raise ValueError(
            f"groups={groups} does not fit x {x} and weight {weight} [*kernel, in / groups, out]"
        )
