"""Operations on elements, each by itself, as steps."""

from __future__ import annotations

import numpy as np

from engine.backends._native.described import aligned, by_channel, described
from engine.backends._native.draft import Draft
from engine.program.graph import Add, Affine, Binary, Elementwise, Operation, PRelu, Shape
from kernels.native.network import ACTIVATIONS, FUNCTIONS

_BINARY = ("add", "sub", "mul", "div", "max", "min")
# gk::Network takes no more values of one operation.
MOST_INPUTS = 8


def elementwise(operation: Elementwise, draft: Draft) -> None:
    """An activation by itself."""
    end = operation.activation
    draft.step(
        operation,
        "elementwise",
        draft.form_for(operation.inputs, narrow=True),
        integers=(FUNCTIONS.index(end.kind),),
        numbers=(end.alpha, end.beta),
    )


def add(operation: Add, draft: Draft) -> None:
    """A sum of values: sums of eight, where there are more."""
    form = draft.form_for(operation.inputs, narrow=True)
    names, part = list(operation.inputs), 0
    while len(names) > MOST_INPUTS:
        made, part = f"{operation.outputs[0]} part {part}", part + 1
        draft.temporary(made, draft.shape(names[0]))
        inputs, names = names[:MOST_INPUTS], [made, *names[MOST_INPUTS:]]
        draft.step(
            operation, "add", form, inputs=inputs, made=(made,), integers=(0,), numbers=(0.0,)
        )
    end = operation.activation
    draft.step(
        operation,
        "add",
        form,
        inputs=names,
        integers=(ACTIVATIONS.index(end.kind),),
        numbers=(end.alpha,),
    )


def affine(operation: Affine, draft: Draft) -> None:
    """A product and a sum with the model's numbers."""
    shape = draft.shape(operation.inputs[0])
    scale, shift, end = operation.scale, operation.shift, operation.activation
    narrow = by_channel(scale, shape) and by_channel(shift, shape)
    draft.step(
        operation,
        "affine",
        draft.form_for(operation.inputs, narrow),
        integers=(
            ACTIVATIONS.index(end.kind),
            *described(shape),
            *aligned(scale, shape),
            *aligned(shift, shape),
        ),
        numbers=(end.alpha,),
        arrays=(scale, shift),
    )


def prelu(operation: PRelu, draft: Draft) -> None:
    """A slope below zero."""
    shape = draft.shape(operation.inputs[0])
    draft.step(
        operation,
        "prelu",
        draft.form_for(operation.inputs, by_channel(operation.slope, shape)),
        integers=(*described(shape), *aligned(operation.slope, shape)),
        arrays=(operation.slope,),
    )


def binary(operation: Binary, draft: Draft) -> None:
    """A function of two values, of which the kind repeats the second."""
    first, second = operation.inputs
    shape, end = draft.shape(operation.outputs[0]), operation.activation
    first = repeated(operation, draft, first, shape)
    draft.step(
        operation,
        "binary",
        draft.wide,
        inputs=(first, second),
        integers=(
            _BINARY.index(operation.function),
            ACTIVATIONS.index(end.kind),
            *described(shape),
            *(draft.shape(second) or (1,)),
        ),
        numbers=(end.alpha,),
    )


def repeated(operation: Operation, draft: Draft, name: str, shape: Shape) -> str:
    """The name of a value repeated to a larger shape: zeros plus it, which is exact."""
    if draft.shape(name) == shape:
        return name
    zeros, made = f"zeros {list(shape)}", f"{name} as {list(shape)}"
    if draft.temporary(zeros, shape):
        draft.step(
            operation,
            "constant",
            draft.wide,
            inputs=(),
            made=(zeros,),
            arrays=(np.zeros(shape, np.float32),),
            reads=None,
        )
    if draft.temporary(made, shape):
        draft.step(
            operation,
            "binary",
            draft.wide,
            inputs=(zeros, name),
            made=(made,),
            integers=(0, 0, *described(shape), *draft.shape(name)),
            numbers=(0.0,),
        )
    return made
