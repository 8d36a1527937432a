"""Constants beside tensors: laid out like the value that they meet, or as values of their own."""

from __future__ import annotations

import numpy as np

from engine.program.graph import Constant
from engine.program.lowering.constants import shared
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.views import Atom, Dim, View, size_of, without_batch
from engine.program.values import Array, Shape


def spread(context: Context, array: Array, view: View) -> Array:
    """A constant that broadcasts to an ONNX tensor, laid out to broadcast to the view's value.

    Raises Refusal if it would widen the tensor or differs between samples.
    """
    shape = view.shape
    if array.ndim > view.rank:
        if any(size != 1 for size in array.shape[: array.ndim - view.rank]):
            raise Refusal("a constant of higher rank widens the tensor")
        array = array.reshape(array.shape[array.ndim - view.rank :])
    array = array.reshape((1,) * (view.rank - array.ndim) + array.shape)
    sizes: list[int] = []
    lengths: list[int] = []
    atoms: list[Atom] = []
    for dim, length, size in zip(view.dims, array.shape, shape, strict=True):
        inside = without_batch(dim)
        if length != 1 and not inside and size == length:
            array, length = shared(array, len(lengths)), 1
        lengths.append(length)
        if length not in (1, size) or (length != 1 and len(inside) != len(dim)):
            raise Refusal(f"a constant of shape {list(array.shape)} does not fit {list(shape)}")
        atoms.extend(inside)
        sizes.extend(1 if length == 1 else atom.size for atom in inside)
    parts = array.reshape(sizes)
    moved = parts.transpose([atoms.index(atom) for atom in view.order])
    return _grouped(moved, view.order, context.draft.shape(view.value))


def constant_view(context: Context, array: Array, like: View) -> View:
    """A tensor of the model that every sample shares, as a value of its own."""
    like = like.with_dims([()] * (array.ndim - like.rank) + list(like.dims))
    array = array.reshape((1,) * (like.rank - array.ndim) + array.shape)
    at = like.batch_axis
    if at is not None and array.shape[at] != 1:
        if array.shape[at] != like.shape[at]:
            raise Refusal(f"a constant of shape {list(array.shape)} does not fit the batch")
        array = shared(array, at)
    sizes = array.shape
    rest = [axis for axis in range(len(sizes)) if axis != at]
    order = [*rest[1:], *rest[:1]] if at in (0, None) and len(sizes) >= 4 else rest
    laid = array.transpose([*order, *([at] if at is not None else [])])
    value = laid.reshape([sizes[axis] for axis in order]).astype(np.float64)
    name = context.emit(Constant, [], value.shape, value=value)
    return context.fresh(name, order, sizes, like)


def _grouped(array: Array, order: Dim, shape: Shape) -> Array:
    """An array with one axis for each atom, as one that broadcasts to the value's axes."""
    sizes: list[int] = []
    position = 0
    for length in shape:
        axes: list[int] = []
        while size_of(order[axes[0] : position] if axes else ()) < length:
            axes.append(position)
            position += 1
        if size_of(tuple(order[axis] for axis in axes)) != length:
            raise Refusal("a constant does not follow the axes of what it is combined with")
        if all(array.shape[axis] == 1 for axis in axes):
            sizes.append(1)
        else:
            wide = list(array.shape)
            for axis in axes:
                wide[axis] = order[axis].size
            array = np.broadcast_to(array, wide)
            sizes.append(length)
    array = array.reshape(sizes)
    while array.ndim > 0 and array.shape[0] == 1:
        array = array[0]
    return array
