"""A convolution of stride 1 and the pixel shuffle after it are one transposed convolution.

Shuffled position o = r * j + a (0 <= a < r) of channel c is channel (c, a) at j, which meets input
i = j + k - p at tap k: o = r * i + (a - r * k + r * p). Transposed, o = r * i + t - q: with
q = r * (K - 1 - p), tap t = a + r * (K - 1 - k), which takes each value in 0 .. r * K - 1 once.
A shift that differs between the positions of a block has no place there, and keeps the two apart.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.program.graph import Convolution, Elementwise, Operation, Permute, Reshape
from engine.program.lowering.draft import Draft
from engine.program.values import Array, Shape
from kernels.geometry import Geometry


def shuffle_to_transposed(draft: Draft) -> bool:
    """Join Convolution, Reshape, Permute, Reshape where they are a pixel shuffle."""
    changed = False
    for permute in list(draft.operations):
        if not isinstance(permute, Permute) or permute not in draft.operations:
            continue
        split, merge = draft.producer(permute.inputs[0]), draft.only_consumer(permute.outputs[0])
        if not isinstance(split, Reshape) or not isinstance(merge, Reshape):
            continue
        between, source = _before(draft, split)
        if source is None or draft.only_consumer(split.outputs[0]) is not permute:
            continue
        blocks = _blocks(source.geometry.output_size, split.shape, permute.axes, merge.shape)
        if blocks is None:
            continue
        new = _joined(source, split.shape, permute.axes, blocks)
        if new is None:
            continue
        draft.substitute(source, [new])
        for name in (*source.outputs, *(op.outputs[0] for op in between)):
            draft.reshape_value(name, merge.shape)
        for operation in (split, permute, merge):
            draft.remove(operation)
        draft.redirect(merge.outputs[0], split.inputs[0])
        changed = True
    return changed


def _before(draft: Draft, split: Reshape) -> tuple[list[Elementwise], Convolution | None]:
    """The convolution before the shuffle, and the activations between, which stay after it."""
    between: list[Elementwise] = []
    reader: Operation = split
    while True:
        (name,) = reader.inputs
        source = draft.producer(name)
        if draft.only_consumer(name) is not reader:
            return between, None
        if isinstance(source, Convolution):
            return between, source if _simple(source) else None
        if not isinstance(source, Elementwise):
            return between, None
        between.append(source)
        reader = source


def _simple(source: Convolution) -> bool:
    geometry, ones = source.geometry, (1,) * source.geometry.rank
    return (
        geometry.direction == "forward"
        and geometry.stride == ones
        and geometry.dilation == ones
        and source.groups == 1
        and source.activation.kind == "none"
        and all(p < k for p, k in zip(geometry.padding, geometry.kernel, strict=True))
    )


def _blocks(
    sizes: Shape, split: Shape, axes: tuple[int, ...], merged: Shape
) -> list[list[int]] | None:
    """Axes of the split channels that go to each spatial axis; None if it is no shuffle."""
    rank = len(sizes)
    if len(merged) != rank + 1 or split[:rank] != sizes:
        return None
    blocks: list[list[int]] = [[] for _ in range(rank)]
    rest: list[int] = []
    current = -1
    for axis in axes:
        if axis < rank:
            if axis != current + 1:
                return None
            current = axis
        elif current < rank - 1 or _size(split, blocks[current]) * sizes[current] < merged[current]:
            if current < 0:
                return None
            blocks[current].append(axis)
        else:
            rest.append(axis)
    whole = tuple(size * _size(split, block) for size, block in zip(sizes, blocks, strict=True))
    return blocks if whole == merged[:rank] and current == rank - 1 else None


def _size(shape: Shape, axes: list[int]) -> int:
    return int(np.prod([shape[axis] for axis in axes], dtype=np.int64))


def _joined(
    source: Convolution, split: Shape, axes: tuple[int, ...], blocks: list[list[int]]
) -> Convolution | None:
    old = source.geometry
    rank = old.rank
    factors = tuple(_size(split, block) for block in blocks)
    inside = [axis for block in blocks for axis in block]
    rest = [axis for axis in axes if axis >= rank and axis not in inside]
    channels = _size(split, rest)

    def sorted_channels(array: Array) -> Array:
        """[..., out] -> [..., *factors, channels]."""
        lead = array.ndim - 1
        parts = array.reshape(*array.shape[:-1], *split[rank:])
        order = [lead + axis - rank for axis in (*inside, *rest)]
        moved = parts.transpose(*range(lead), *order)
        return moved.reshape(*array.shape[:-1], *factors, channels)

    shift = None
    if source.shift is not None:
        shifts = sorted_channels(source.shift).reshape(-1, channels)
        if not np.all(shifts == shifts[0]):
            return None
        shift = shifts[0]
    weight = np.flip(source.weight, tuple(range(rank)))
    # [*K, in, *r, C] -> [K0, r0, K1, r1, ..., in, C]
    order = [at for axis in range(rank) for at in (axis, rank + 1 + axis)]
    weight = sorted_channels(weight).transpose(*order, rank, 2 * rank + 1)
    kernel = tuple(k * r for k, r in zip(old.kernel, factors, strict=True))
    geometry = Geometry(
        "transposed",
        old.input_size,
        tuple(size * r for size, r in zip(old.output_size, factors, strict=True)),
        kernel,
        factors,
        tuple(r * (k - 1 - p) for r, k, p in zip(factors, old.kernel, old.padding, strict=True)),
        (1,) * rank,
    )
    return replace(
        source,
        weight=weight.reshape(*kernel, weight.shape[-2], channels),
        shift=shift,
        geometry=geometry,
    )
