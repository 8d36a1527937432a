"""Operations that move elements, or repeat them, as steps."""

from __future__ import annotations

from engine.backends._native.described import described
from engine.backends._native.draft import Draft, whole_blocks
from engine.backends._native.pointwise import MOST_INPUTS
from engine.backends._native.steps import ELSEWHERE, Step
from engine.program.graph import (
    Concat,
    Constant,
    Embedding,
    Pad,
    Permute,
    Reshape,
    Slice,
    Upsample,
)
from kernels.native.network import Form

_PADDING = ("constant", "reflect", "edge", "wrap")


def constant(operation: Constant, draft: Draft) -> None:
    """The same values for every image."""
    draft.step(operation, "constant", draft.wide, arrays=(operation.value,), reads=None)


def concat(operation: Concat, draft: Draft) -> None:
    """Values one after the other along an axis: eight at a time."""
    names, part = list(operation.inputs), 0
    rank = len(draft.shape(names[0]))
    axis = operation.axis % rank
    narrow = axis < rank - 1 or all(whole_blocks(draft.shape(name)[-1]) for name in names[:-1])
    form = draft.form_for(operation.inputs, narrow)
    while len(names) > MOST_INPUTS:
        made, part = f"{operation.outputs[0]} part {part}", part + 1
        _join(operation, draft, form, names[:MOST_INPUTS], axis, made)
        names = [made, *names[MOST_INPUTS:]]
    _join(operation, draft, form, names, axis, None)


def _join(
    operation: Concat, draft: Draft, form: Form, names: list[str], axis: int, made: str | None
) -> None:
    shapes = [draft.shape(name) for name in names]
    along = [shape[axis] for shape in shapes]
    shape = (*shapes[0][:axis], sum(along), *shapes[0][axis + 1 :])
    if made is not None:
        draft.temporary(made, shape)
    draft.step(
        operation,
        "concat",
        form,
        inputs=names,
        made=None if made is None else (made,),
        integers=(axis, *described(shape), *along),
        # Along the outermost axis, rows of the output are rows of one input or another.
        input_rows=None if axis else ELSEWHERE,
    )


def reshape(operation: Reshape, draft: Draft) -> None:
    """The same bytes with other sizes."""
    draft.alias(operation.inputs[0], operation.outputs[0])


def permute(operation: Permute, draft: Draft) -> None:
    """Axes in another order."""
    shape = draft.shape(operation.inputs[0])
    rank = len(shape)
    axes = tuple(axis % rank for axis in operation.axes)
    draft.step(
        operation,
        "permute",
        draft.form_for(operation.inputs, axes[-1] == rank - 1),
        integers=(*described(shape), *axes),
        input_rows=ELSEWHERE,
    )


def take(operation: Slice, draft: Draft) -> None:
    """A part of every axis."""
    shape = draft.shape(operation.inputs[0])
    whole = operation.begin[-1] == 0 and operation.step[-1] == 1
    narrow = whole and operation.sizes[-1] == shape[-1]
    draft.step(
        operation,
        "slice",
        draft.form_for(operation.inputs, narrow),
        integers=(*described(shape), *operation.begin, *operation.sizes, *operation.step),
        input_rows=ELSEWHERE,
    )


def pad(operation: Pad, draft: Draft) -> None:
    """More positions on the sides."""
    shape = draft.shape(operation.inputs[0])
    draft.step(
        operation,
        "pad",
        draft.form_for(operation.inputs, operation.before[-1] == operation.after[-1] == 0),
        integers=(
            _PADDING.index(operation.mode),
            *described(shape),
            *operation.before,
            *operation.after,
        ),
        numbers=(operation.value,),
        input_rows=ELSEWHERE,
    )


def upsample(operation: Upsample, draft: Draft) -> None:
    """Every position repeated."""
    shape = draft.shape(operation.inputs[0])
    scale = operation.scales[0] if operation.scales else 1
    draft.step(
        operation,
        "upsample",
        draft.form_for(operation.inputs, narrow=True),
        integers=(*described(shape), *operation.scales),
        input_rows=shape[0] if len(shape) > 1 else 1,
        reads=lambda end: -(-end // scale),
    )


def embedding(operation: Embedding, draft: Draft) -> None:
    """Rows of a table."""
    (labels,), (made,) = operation.inputs, operation.outputs
    table = operation.table.reshape(len(operation.table), -1)
    inputs, outputs = (draft.need(labels, Form.INDEX),), (draft.make(made, draft.wide),)
    draft.steps.append(Step("embedding", operation.name, inputs, outputs, arrays=(table,)))
