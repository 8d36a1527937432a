"""Norms and weighted sums that a graph spells out, put back together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.program.graph import (
    Affine,
    Binary,
    Constant,
    Elementwise,
    InstanceNorm,
    LayerNorm,
    Linear,
    Operation,
    Reduce,
    Reshape,
)
from engine.program.lowering.draft import Draft
from engine.program.values import Array


@dataclass(frozen=True, slots=True)
class _Norm:
    """(x - mean) / sqrt(variance + epsilon) over the axes."""

    source: str
    axes: tuple[int, ...]
    epsilon: float


def name_norms(draft: Draft) -> bool:
    """Instance and layer norms, told from their steps; scale and shift fold in later."""
    changed = False
    for operation in list(draft.operations):
        found = _norm(draft, operation) if isinstance(operation, Binary) else None
        if found is None:
            continue
        shape = draft.shape(found.source)
        last = len(shape) - 1
        if found.axes == (last,):
            kind: type[InstanceNorm | LayerNorm] = LayerNorm
        elif last > 0 and found.axes == tuple(range(last)):
            kind = InstanceNorm
        else:
            continue
        ones: Array = np.ones(shape[last])
        zeros: Array = np.zeros(shape[last])
        norm = kind(
            name=operation.name,
            inputs=(found.source,),
            outputs=operation.outputs,
            scale=ones,
            shift=zeros,
            epsilon=found.epsilon,
        )
        draft.substitute(operation, [norm])
        changed = True
    return changed


def name_weighted_sums(draft: Draft) -> bool:
    """The sum over k of x[k, 1] * W[k, c] is a Linear."""
    changed = False
    for reduce in list(draft.operations):
        if not isinstance(reduce, Reduce) or reduce.function != "sum" or reduce.axes != (0,):
            continue
        product = draft.producer(reduce.inputs[0])
        if not isinstance(product, Binary) or product.function != "mul":
            continue
        for x, weight in (product.inputs, product.inputs[::-1]):
            table, (count, *rest) = draft.producer(weight), draft.shape(x)
            if rest != [1] or not isinstance(table, Constant) or table.value.shape[0] != count:
                continue
            flat = draft.add_value(f"{x}@{reduce.name}", (1, count))
            moved = Reshape(name=reduce.name, inputs=(x,), outputs=(flat,), shape=(1, count))
            linear = Linear(
                name=reduce.name, inputs=(flat,), outputs=reduce.outputs, weight=table.value
            )
            draft.substitute(reduce, [moved, linear])
            changed = True
            break
    return changed


def _norm(draft: Draft, operation: Binary) -> _Norm | None:
    centred, divisor = operation.inputs
    if operation.function == "mul":
        for candidate, other in (operation.inputs, operation.inputs[::-1]):
            inverse = draft.producer(candidate)
            if _is(inverse, "reciprocal"):
                assert inverse is not None
                (divisor,), centred = inverse.inputs, other
                break
        else:
            return None
    elif operation.function != "div":
        return None
    spread = _centre(draft, centred)
    if spread is None:
        return None
    root = draft.producer(divisor)
    shifted = draft.producer(root.inputs[0]) if root is not None and _is(root, "sqrt") else None
    if not isinstance(shifted, Affine) or shifted.scale is not None or shifted.shift is None:
        return None
    variance = draft.producer(shifted.inputs[0])
    if not isinstance(variance, Reduce) or variance.function != "mean":
        return None
    square = draft.producer(variance.inputs[0])
    squared = (_is(square, "power", 2.0) and square.inputs == (centred,)) or (  # type: ignore[union-attr]
        isinstance(square, Binary)
        and square.function == "mul"
        and square.inputs == (centred, centred)
    )
    source, axes = spread
    if not squared or variance.axes != axes or shifted.shift.size != 1:
        return None
    return _Norm(source, axes, float(shifted.shift.reshape(-1)[0]))


def _centre(draft: Draft, name: str) -> tuple[str, tuple[int, ...]] | None:
    """x and the axes, if the value is x minus its own mean."""
    centred = draft.producer(name)
    if not isinstance(centred, Binary) or centred.function != "sub":
        return None
    source, mean = centred.inputs
    reduce = draft.producer(mean)
    own = isinstance(reduce, Reduce) and reduce.function == "mean" and reduce.inputs == (source,)
    return (source, reduce.axes) if own and isinstance(reduce, Reduce) else None


def _is(operation: Operation | None, kind: str, alpha: float = 0.0) -> bool:
    return (
        isinstance(operation, Elementwise)
        and operation.activation.kind == kind
        and operation.activation.alpha == alpha
    )
