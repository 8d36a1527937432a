"""Scales and shifts go into the weights of a neighbour, in float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.program.graph import (
    Affine,
    Convolution,
    InstanceNorm,
    LayerNorm,
    Linear,
    Operation,
    Reshape,
)
from engine.program.lowering.draft import Draft
from engine.program.values import Array


def fold_affines(draft: Draft) -> bool:
    """Fold each Affine into what makes its input, else into what reads its output."""
    changed = False
    for operation in list(draft.operations):
        if isinstance(operation, Affine) and operation.activation.kind == "none":
            changed |= _fold(draft, operation)
    return changed


def _fold(draft: Draft, affine: Affine) -> bool:
    source = draft.producer(affine.inputs[0])
    if source is not None and draft.only_consumer(affine.inputs[0]) is affine:
        folded = _after(source, affine)
        if folded is not None:
            draft.substitute(source, [replace(folded, outputs=affine.outputs)])
            draft.remove(affine)
            return True
    reader = draft.only_consumer(affine.outputs[0])
    if isinstance(reader, Reshape) and len(reader.shape) == 1:
        return _after_flattening(draft, affine, reader)
    if reader is not None:
        folded = _before(affine, reader)
        if folded is not None:
            draft.substitute(reader, [replace(folded, inputs=affine.inputs)])
            draft.remove(affine)
            return True
    return False


def _after_flattening(draft: Draft, affine: Affine, reshape: Reshape) -> bool:
    """A number for each element, on the flattened value, where a linear layer can take it in."""
    if not isinstance(draft.only_consumer(reshape.outputs[0]), Linear):
        return False
    shape = draft.shape(affine.inputs[0])
    scale, shift = (
        None if array is None else np.broadcast_to(array, shape).reshape(-1)
        for array in (affine.scale, affine.shift)
    )
    flat = affine.outputs[0]
    draft.reshape_value(flat, reshape.shape)
    first = replace(reshape, inputs=affine.inputs, outputs=(flat,))
    second = replace(affine, inputs=(flat,), outputs=reshape.outputs, scale=scale, shift=shift)
    draft.substitute(reshape, [first, second])
    draft.remove(affine)
    return True


def _after(source: Operation, affine: Affine) -> Operation | None:
    """x -> source -> affine as one operation."""
    if getattr(source, "activation", None) is not None and source.activation.kind != "none":  # type: ignore[attr-defined]
        return None
    scale, shift = affine.scale, affine.shift
    if isinstance(source, Affine):
        return replace(
            source,
            scale=_times(source.scale, scale),
            shift=_plus(_times(source.shift, scale) if source.shift is not None else None, shift),
        )
    if not _per_channel(scale) or not _per_channel(shift):
        return None
    if isinstance(source, (Convolution, Linear)):
        out = source.weight.shape[-1]
        moved = _plus(None if source.shift is None else _times(source.shift, scale), shift)
        weight = source.weight if scale is None else source.weight * scale
        shift = None if moved is None else np.broadcast_to(moved, (out,))
        return replace(source, weight=weight, shift=shift)
    if isinstance(source, (InstanceNorm, LayerNorm)):
        size = source.scale.shape
        moved = _plus(_times(source.shift, scale), shift)
        assert moved is not None
        return replace(
            source,
            scale=source.scale if scale is None else np.broadcast_to(source.scale * scale, size),
            shift=np.broadcast_to(moved, size),
        )
    return None


def _before(affine: Affine, reader: Operation) -> Operation | None:
    """x -> affine -> reader as one operation."""
    if not _per_channel(affine.scale) or not _per_channel(affine.shift):
        return None
    if isinstance(reader, Linear):
        rows = reader.weight.shape[0]
        scale = np.broadcast_to(1.0 if affine.scale is None else affine.scale, (rows,))
        offset = None
        if affine.shift is not None:
            offset = np.broadcast_to(affine.shift, (rows,)) @ reader.weight
        weight = reader.weight * scale[:, None]
        return replace(reader, weight=weight, shift=_plus(reader.shift, offset))
    if isinstance(reader, Convolution):
        return _before_convolution(affine, reader)
    return None


def _before_convolution(affine: Affine, reader: Convolution) -> Operation | None:
    geometry = reader.geometry
    everywhere = geometry.useful_products() == geometry.positions_out * geometry.taps
    if affine.shift is not None and affine.shift.any() and not everywhere:
        # The map's surroundings stay zero, which a shift in the weights would not leave them.
        return None
    inside, out = reader.weight.shape[-2:]
    channels = inside * reader.groups
    # The input channel of each (row, column) of the weight.
    group = np.arange(out) // (out // reader.groups)
    at = np.arange(inside)[:, None] + group * inside
    weight, shift = reader.weight, reader.shift
    if affine.shift is not None:
        offset = np.broadcast_to(affine.shift, (channels,))[at]
        axes = tuple(range(weight.ndim - 1))
        shift = _plus(shift, (weight * offset).sum(axis=axes))
    if affine.scale is not None:
        weight = weight * np.broadcast_to(affine.scale, (channels,))[at]
    return replace(reader, weight=weight, shift=shift)


def _per_channel(array: Array | None) -> bool:
    return array is None or array.ndim <= 1


def _times(first: Array | None, second: Array | None) -> Array | None:
    if first is None or second is None:
        return second if first is None else first
    product: Array = first * second
    return product


def _plus(first: Array | None, second: Array | None) -> Array | None:
    if first is None or second is None:
        return second if first is None else first
    total: Array = first + second
    return total
