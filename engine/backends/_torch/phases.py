"""A transposed convolution as a forward one whose channels are the phases of the stride."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from engine.backends._torch.activation import activate
from engine.backends._torch.views import CONVOLUTIONS, Layer, Put, channels_first, channels_last
from engine.program.graph import Convolution
from kernels.geometry import Geometry


def phases(op: Convolution, put: Put) -> Layer:
    """One forward convolution to stride * out channels, then positions from channels.

    Output o = stride * q + phase - padding meets input i = q - d with tap k = stride * d + phase
    (dilation aside: a dilated kernel is one with zeros between its taps).
    """
    geometry, (inputs, outputs) = op.geometry, op.weight.shape[-2:]
    kernel = _undilated(op.weight, geometry)
    sizes, stride = kernel.shape[: geometry.rank], geometry.stride
    reach = tuple(-(-size // step) for size, step in zip(sizes, stride, strict=True))
    gathered = np.zeros((*stride, outputs, inputs, *reach), np.float32)
    for tap in np.ndindex(*sizes):
        phase = tuple(k % step for k, step in zip(tap, stride, strict=True))
        # A forward convolution reads rising inputs: the farthest tap comes first.
        place = tuple(r - 1 - k // s for r, k, s in zip(reach, tap, stride, strict=True))
        gathered[(*phase, slice(None), slice(None), *place)] = kernel[tap].T
    weight = put(gathered.reshape(-1, inputs, *reach))
    shift = None if op.shift is None else put(np.tile(op.shift, math.prod(stride)))
    rank = geometry.rank
    # Grid points q from 0 up to the last that an output needs.
    points = tuple(
        (size - 1 + pad) // step + 1
        for size, pad, step in zip(geometry.output_size, geometry.padding, stride, strict=True)
    )
    sides = [
        side
        for axis in reversed(range(rank))
        for side in (reach[axis] - 1, points[axis] - geometry.input_size[axis])
    ]
    window = tuple(
        slice(pad, pad + size)
        for pad, size in zip(geometry.padding, geometry.output_size, strict=True)
    )
    interleaved = [0, *(axis for i in range(rank) for axis in (1 + i, 1 + rank + i)), 1 + 2 * rank]

    def run(x: Tensor) -> Tensor:
        grid = CONVOLUTIONS[rank](F.pad(channels_first(x), sides), weight, shift)
        cells = activate(channels_last(grid), op.activation)
        cells = cells.reshape(len(x), *points, *stride, outputs).permute(interleaved)
        whole = cells.reshape(
            len(x), *(p * s for p, s in zip(points, stride, strict=True)), outputs
        )
        return whole[(slice(None), *window)]

    return run


def _undilated(weight: NDArray[np.float32], geometry: Geometry) -> NDArray[np.float32]:
    """[*kernel, in, out] with zeros between the taps of a dilated kernel."""
    sizes = tuple(
        gap * (taps - 1) + 1 for gap, taps in zip(geometry.dilation, geometry.kernel, strict=True)
    )
    spread = np.zeros((*sizes, *weight.shape[-2:]), np.float32)
    spread[tuple(slice(None, None, gap) for gap in geometry.dilation)] = weight
    return spread
