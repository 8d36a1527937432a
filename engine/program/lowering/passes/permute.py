"""A Permute goes into the columns of the weight, or the rows of the table, that it follows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from engine.program.graph import (
    Affine,
    Constant,
    Elementwise,
    Embedding,
    Linear,
    Operation,
    Permute,
    PRelu,
    Reshape,
    Value,
)
from engine.program.lowering.draft import Draft
from engine.program.values import Array, Layout, Shape


def absorb_permutes(draft: Draft) -> bool:
    """Absorb each Permute into a weight, or into how an input lies in its ONNX tensor."""
    changed = False
    for operation in list(draft.operations):
        if isinstance(operation, Permute) and operation in draft.operations:
            changed |= _into_input(draft, operation) or _into_weight(draft, operation)
    return changed


def drop_output_permutes(draft: Draft) -> bool:
    """An output that is permuted last of all is handed out as it lies; its layout says so."""
    changed = False
    for index, made in enumerate(draft.outputs):
        permute = draft.producer(made)
        if not isinstance(permute, Permute) or draft.consumers(made):
            continue
        (source,) = permute.inputs
        if draft.only_consumer(source) is not permute or draft.producer(source) is None:
            continue
        layout = draft.output_layouts[index]
        axes = tuple(layout.axes[permute.axes.index(axis)] for axis in range(len(layout.axes)))
        draft.output_layouts[index] = replace(layout, axes=axes)
        draft.remove(permute)
        draft.redirect(made, source)
        changed = True
    return changed


def _into_input(draft: Draft, permute: Permute) -> bool:
    (source,) = permute.inputs
    index = next((i for i, value in enumerate(draft.inputs) if value.name == source), None)
    if index is None or draft.only_consumer(source) is not permute:
        return False
    given = draft.inputs[index]
    assert given.layout is not None
    shape = tuple(given.shape[axis] for axis in permute.axes)
    axes = tuple(given.layout.axes[axis] for axis in permute.axes)
    layout = Layout(given.layout.source, axes, given.layout.batch)
    draft.inputs[index] = draft.values[source] = Value(source, shape, given.dtype, layout)
    draft.remove(permute)
    draft.redirect(permute.outputs[0], source)
    return True


def _into_weight(draft: Draft, permute: Permute) -> bool:
    chain = _chain(draft, permute)
    if not chain:
        return False
    source = chain[0]
    shape = draft.shape(permute.inputs[0])
    count = math.prod(shape)
    order = np.arange(count).reshape(shape).transpose(permute.axes).reshape(-1)
    new: list[Operation] = []
    name = source.outputs[0]
    for operation in chain:
        if isinstance(operation, Reshape):
            continue
        moved = _reordered(operation, order, draft.shape(operation.outputs[0]))
        if operation is not source:
            moved = replace(moved, inputs=(name,))
        name = operation.outputs[0]
        new.append(moved)
    for operation in new:
        draft.reshape_value(operation.outputs[0], (count,))
    made = draft.shape(permute.outputs[0])
    draft.substitute(
        permute,
        [*new, Reshape(name=permute.name, inputs=(name,), outputs=permute.outputs, shape=made)],
    )
    for operation in chain:
        draft.remove(operation)
    return True


def _chain(draft: Draft, permute: Permute) -> list[Operation]:
    """From a weight to the Permute, all operations that act on each element alone."""
    chain: list[Operation] = []
    reader: Operation = permute
    while True:
        name = reader.inputs[0]
        source = draft.producer(name)
        if source is None or draft.only_consumer(name) is not reader:
            return []
        chain.insert(0, source)
        if isinstance(source, Linear) and len(draft.shape(name)) == 1:
            return chain
        if isinstance(source, Constant):
            return chain
        if isinstance(source, Embedding):
            return chain if draft.shape(source.inputs[0]) == () else []
        if not isinstance(source, (Reshape, Elementwise, Affine, PRelu)):
            return []
        reader = source


def _reordered(operation: Operation, order: Array, shape: Shape) -> Operation:
    """The operation on flattened values whose elements stand in another order."""
    if isinstance(operation, Linear):
        shift = None if operation.shift is None else operation.shift[order]
        return replace(operation, weight=operation.weight[:, order], shift=shift)
    if isinstance(operation, Constant):
        return replace(operation, value=operation.value.reshape(-1)[order])
    if isinstance(operation, Embedding):
        classes = operation.table.shape[0]
        return replace(operation, table=operation.table.reshape(classes, -1)[:, order])
    if isinstance(operation, Affine):
        return replace(
            operation,
            scale=_flat(operation.scale, order, shape),
            shift=_flat(operation.shift, order, shape),
        )
    if isinstance(operation, PRelu):
        slope = _flat(operation.slope, order, shape)
        assert slope is not None
        return replace(operation, slope=slope)
    return operation


def _flat(array: Array | None, order: Array, shape: Shape) -> Array | None:
    if array is None or array.size == 1:
        return None if array is None else array.reshape(())
    whole: Array = np.broadcast_to(array, shape).reshape(-1)[order]
    return whole
