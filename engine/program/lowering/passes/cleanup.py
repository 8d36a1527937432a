"""Operations that do nothing, do one thing in two steps, or make what nobody reads."""

from __future__ import annotations

from dataclasses import replace

from engine.program.graph import Affine, Elementwise, Operation, Permute, Reshape
from engine.program.lowering.draft import Draft


def clean_up(draft: Draft) -> bool:
    """Drop what has no effect and join neighbours of a kind."""
    changed = _drop_dead(draft)
    for operation in list(draft.operations):
        if operation not in draft.operations:
            continue
        changed |= _drop_neutral(draft, operation) or _join(draft, operation)
    return changed


def _drop_dead(draft: Draft) -> bool:
    needed = set(draft.outputs)
    kept: list[Operation] = []
    for operation in reversed(draft.operations):
        if needed.intersection(operation.outputs):
            needed.update(operation.inputs)
            kept.append(operation)
    changed = len(kept) != len(draft.operations)
    draft.operations = kept[::-1]
    return changed


def _drop_neutral(draft: Draft, operation: Operation) -> bool:
    if isinstance(operation, Reshape):
        neutral = draft.shape(operation.inputs[0]) == operation.shape
    elif isinstance(operation, Permute):
        neutral = operation.axes == tuple(range(len(operation.axes)))
    elif isinstance(operation, Affine):
        scale, shift = operation.scale, operation.shift
        neutral = (scale is None or bool((scale == 1).all())) and (shift is None or not shift.any())
    else:
        neutral = isinstance(operation, Elementwise) and operation.activation.kind == "none"
    source, made = operation.inputs[0] if operation.inputs else "", operation.outputs[0]
    inputs = {value.name for value in draft.inputs}
    # An output keeps a value of its own: it is no input, and no two outputs are one.
    if not neutral or (made in draft.outputs and (source in inputs or source in draft.outputs)):
        return False
    draft.remove(operation)
    draft.redirect(made, source)
    return True


def _join(draft: Draft, operation: Operation) -> bool:
    if not isinstance(operation, (Reshape, Permute)):
        return False
    before = draft.producer(operation.inputs[0])
    if type(before) is not type(operation):
        return False
    joined: Operation = replace(operation, inputs=before.inputs)
    if isinstance(operation, Permute) and isinstance(before, Permute):
        axes = tuple(before.axes[axis] for axis in operation.axes)
        joined = replace(operation, inputs=before.inputs, axes=axes)
    draft.substitute(operation, [joined])
    return True
