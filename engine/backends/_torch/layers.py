"""Convolutions and linear layers in torch, each in the form that is fastest on a CPU.

- One input position: every output is a row of one matrix product.
- Few output channels on a strided grid: the phases of the stride are channels of one forward
  convolution, and are shuffled into place (Shi et al., Is the deconvolution layer the same as a
  convolutional layer?, 2016).
- Else oneDNN's convolutions on channels-last tensors, with their weights put in order beforehand
  where that is possible (`packed`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.backends._torch.activation import activate
from engine.backends._torch.packed import packed
from engine.backends._torch.phases import phases
from engine.backends._torch.views import CONVOLUTIONS, Layer, Put, channels_first, channels_last
from engine.program.graph import Convolution, Linear
from kernels.geometry import Geometry

# A tile of oneDNN's products has this many columns: more phases than fit gain nothing.
_COLUMNS = 16


def linear(op: Linear, put: Put) -> Layer:
    """x [batch, *positions, in] -> [batch, *positions, out]."""
    weight = put(np.ascontiguousarray(op.weight.T))
    shift = None if op.shift is None else put(op.shift)
    return lambda x: activate(F.linear(x, weight, shift), op.activation)


def convolution(op: Convolution, put: Put) -> Layer:
    """x [batch, *input_size, in] -> [batch, *output_size, out]."""
    geometry = op.geometry
    if geometry.direction == "transposed" and op.groups == 1:
        if geometry.positions_in == 1:
            return _one_position(op, put)
        if op.weight.shape[-1] * math.prod(geometry.stride) <= _COLUMNS:
            return phases(op, put)
    return _plain(op, put)


def _one_position(op: Convolution, put: Put) -> Layer:
    """[in] @ [in, positions * out]: what each tap adds goes to an output of its own."""
    geometry, (inputs, outputs) = op.geometry, op.weight.shape[-2:]
    table = np.zeros((inputs, *geometry.output_size, outputs), np.float32)
    for tap in np.ndindex(geometry.kernel):
        place = tuple(
            gap * k - pad
            for gap, k, pad in zip(geometry.dilation, tap, geometry.padding, strict=True)
        )
        if all(0 <= p < size for p, size in zip(place, geometry.output_size, strict=True)):
            table[(slice(None), *place)] += op.weight[tap]
    weight = put(np.ascontiguousarray(table.reshape(inputs, -1).T))
    shift = None if op.shift is None else put(np.tile(op.shift, geometry.positions_out))

    def run(x: Tensor) -> Tensor:
        flat = F.linear(x.reshape(len(x), inputs), weight, shift)
        return activate(flat, op.activation).view(len(x), *geometry.output_size, outputs)

    return run


_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


def _plain(op: Convolution, put: Put) -> Layer:
    """Torch's own: a transposed one is made whole and cut, which every output size allows."""
    geometry, rank = op.geometry, op.geometry.rank
    shift = None if op.shift is None else put(op.shift)
    axes = tuple(range(rank))
    if geometry.direction == "forward":
        weight = put(np.ascontiguousarray(op.weight.transpose(rank + 1, rank, *axes)))
        sides = _sides(geometry)

        def run(x: Tensor) -> Tensor:
            padded = F.pad(channels_first(x), sides)
            made = CONVOLUTIONS[rank](
                padded, weight, shift, geometry.stride, 0, geometry.dilation, op.groups
            )
            return activate(channels_last(made), op.activation)

        return run
    weight = put(_transposed_weight(op))
    window, missing = _window(geometry)
    fast = _packed(op, weight, shift, window, missing)
    if fast is not None:
        return fast

    def run_transposed(x: Tensor) -> Tensor:
        made = _TRANSPOSED[rank](
            channels_first(x),
            weight,
            None,
            geometry.stride,
            window,
            0,
            op.groups,
            geometry.dilation,
        )
        made = F.pad(made, missing)
        if shift is not None:
            made = made + shift.view(-1, *(1,) * rank)
        return activate(channels_last(made), op.activation)

    return run_transposed


def _packed(
    op: Convolution,
    weight: Tensor,
    shift: Tensor | None,
    window: tuple[int, ...],
    missing: list[int],
) -> Layer | None:
    """The layer on ordered weights, if it is of a kind that has them."""
    geometry = op.geometry
    extra = tuple(missing[-1::-2])
    plain = not any(missing[::2]) and all(
        0 <= more < step for more, step in zip(extra, geometry.stride, strict=True)
    )
    if op.groups != 1 or set(geometry.dilation) != {1} or not plain:
        return None
    relu = op.activation.kind == "relu"
    layer = packed(weight, shift, geometry.input_size, geometry.stride, window, extra, relu)
    if layer is None or relu or op.activation.kind == "none":
        return layer
    return lambda x: activate(layer(x), op.activation)


def _transposed_weight(op: Convolution) -> NDArray[np.float32]:
    """[*kernel, in / groups, out] -> [in, out / groups, *kernel]."""
    rank, groups = op.geometry.rank, op.groups
    *kernel, inputs, outputs = op.weight.shape
    split = op.weight.reshape(*kernel, inputs, groups, outputs // groups)
    moved = split.transpose(rank + 1, rank, rank + 2, *range(rank))
    return np.ascontiguousarray(moved.reshape(groups * inputs, outputs // groups, *kernel))


def _sides(geometry: Geometry) -> list[int]:
    """Zeros before and after each axis, last axis first, that give exactly the output size."""
    sides = []
    for axis in reversed(range(geometry.rank)):
        span = geometry.dilation[axis] * (geometry.kernel[axis] - 1)
        needed = geometry.stride[axis] * (geometry.output_size[axis] - 1) + span + 1
        before = geometry.padding[axis]
        sides += [before, needed - before - geometry.input_size[axis]]
    return sides


def _window(geometry: Geometry) -> tuple[tuple[int, ...], list[int]]:
    """Padding for torch's transposed convolution, and what to add to or cut from its ends."""
    full = tuple(
        step * (size - 1) + gap * (taps - 1) + 1
        for size, step, taps, gap in zip(
            geometry.input_size, geometry.stride, geometry.kernel, geometry.dilation, strict=True
        )
    )
    # Torch cuts both ends alike; the rest is cut, or is zeros beyond the last that is reached.
    padding = tuple(
        max(0, min(pad, size - pad - wanted))
        for size, pad, wanted in zip(full, geometry.padding, geometry.output_size, strict=True)
    )
    missing = []
    for axis in reversed(range(geometry.rank)):
        low, high = geometry.padding[axis] - padding[axis], full[axis] - padding[axis]
        missing += [-low, geometry.output_size[axis] + geometry.padding[axis] - high]
    return padding, missing
