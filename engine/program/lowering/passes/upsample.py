"""Nearest upsampling and the convolution after it are one transposed convolution.

Upsampled position u is input u // s, so o = u - k + p with u = s * i + r (0 <= r < s) meets tap
k = s * i + r + p - o. Transposed, o = s * i + t - q: t = r - k + p + q. With q = K - 1 - p, t runs
from 0 to K + s - 2, and each t holds the sum of the taps k = r + K - 1 - t that share it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.program.graph import Convolution, Upsample
from engine.program.lowering.draft import Draft
from engine.program.values import Array
from kernels.geometry import Geometry


def upsample_to_transposed(draft: Draft) -> bool:
    """Join each Upsample with the one Convolution of stride 1 that reads it."""
    changed = False
    for upsample in list(draft.operations):
        if not isinstance(upsample, Upsample):
            continue
        reader = draft.only_consumer(upsample.outputs[0])
        if not isinstance(reader, Convolution) or not _fits(upsample, reader.geometry):
            continue
        new = replace(
            reader,
            inputs=upsample.inputs,
            weight=_summed(reader.weight, upsample.scales),
            geometry=_transposed(draft.shape(upsample.inputs[0])[:-1], upsample, reader.geometry),
        )
        draft.substitute(reader, [new])
        draft.remove(upsample)
        changed = True
    return changed


def _fits(upsample: Upsample, geometry: Geometry) -> bool:
    ones = (1,) * geometry.rank
    # Padding beyond K - 1 gives outputs that see no input, at positions before the first.
    near = all(p < k for p, k in zip(geometry.padding, geometry.kernel, strict=True))
    return (
        geometry.direction == "forward"
        and geometry.stride == ones
        and geometry.dilation == ones
        and near
    )


def _transposed(size: tuple[int, ...], upsample: Upsample, old: Geometry) -> Geometry:
    return Geometry(
        "transposed",
        size,
        old.output_size,
        tuple(k + s - 1 for k, s in zip(old.kernel, upsample.scales, strict=True)),
        upsample.scales,
        tuple(k - 1 - p for k, p in zip(old.kernel, old.padding, strict=True)),
        old.dilation,
    )


def _summed(weight: Array, scales: tuple[int, ...]) -> Array:
    """Taps of each axis, flipped and summed over the s positions that one input was copied to."""
    for axis, scale in enumerate(scales):
        taps = weight.shape[axis]
        flipped = np.flip(weight, axis)
        sizes = list(weight.shape)
        sizes[axis] = taps + scale - 1
        total = np.zeros(sizes)
        for step in range(scale):
            at = [slice(None)] * weight.ndim
            at[axis] = slice(step, step + taps)
            total[tuple(at)] += flipped
        weight = total
    return weight
