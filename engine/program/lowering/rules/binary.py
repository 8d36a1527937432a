"""Arithmetic of two tensors, or of a tensor and numbers of the model."""

from __future__ import annotations

from typing import Literal

import numpy as np

from engine.program.graph import Activation, Add, Affine, Binary, Elementwise
from engine.program.lowering.broadcasting import constant_view, spread
from engine.program.lowering.constants import Const
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node, doubles
from engine.program.lowering.rules.pointwise import elementwise
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.views import View
from engine.program.values import Array

Function = Literal["add", "sub", "mul", "div", "max", "min"]
_FUNCTIONS: dict[str, Function] = {
    "Add": "add",
    "Sum": "add",
    "Sub": "sub",
    "Mul": "mul",
    "Div": "div",
    "Max": "max",
    "Min": "min",
}


@lowers("Add", "Sum", "Sub", "Mul", "Div", "Max", "Min")
def arithmetic(node: Node, context: Context) -> View:
    """Left to right over the inputs."""
    function = _FUNCTIONS[node.op]
    tensors = [tensor for tensor in node.inputs if tensor is not None]
    if function in ("add", "mul", "max", "min"):
        # The order does not matter, and the first has to be a view.
        tensors.sort(key=lambda tensor: isinstance(tensor, Const))
    result = tensors[0]
    for tensor in tensors[1:]:
        if isinstance(result, Const):
            assert isinstance(tensor, View)
            result = _const_first(context, function, _numbers(result, context), tensor)
        elif isinstance(tensor, Const):
            result = _const_second(context, function, result, _numbers(tensor, context))
        else:
            result = combine(context, function, result, tensor)
    assert isinstance(result, View)
    return result


@lowers("Pow")
def power(node: Node, context: Context) -> View:
    """X ** a number."""
    exponent = node.const(1).scalar()
    if exponent == 1.0:
        return node.view(0)
    named = {0.5: "sqrt", -1.0: "reciprocal"}.get(exponent)
    activation = Activation(named) if named else Activation("power", alpha=exponent)
    return elementwise(context, node.view(0), activation)


def combine(context: Context, function: Function, first: View, second: View) -> View:
    """A function of two tensors of samples."""
    if "int64" in (first.dtype, second.dtype):
        raise Refusal("arithmetic on integers that depend on the sample is not supported")
    rank = max(first.rank, second.rank)
    first, second = (_padded(view, rank) for view in (first, second))
    axes = {view.batch_axis for view in (first, second)} - {None}
    if len(axes) > 1:
        raise Refusal("the batch is another axis in one input than in the other")
    at = next(iter(axes), None)
    try:
        shape = np.broadcast_shapes(first.shape, second.shape)
    except ValueError as error:
        raise Refusal(str(error)) from error
    order = context.common_order((first, second), at)
    names = [context.arrange(view, order) for view in (first, second)]
    made = tuple(shape[axis] for axis in order)
    same = context.draft.shape(names[0]) == context.draft.shape(names[1])
    if function == "add" and same:
        value = context.emit(Add, names, made)
    else:
        value = context.emit(Binary, names, made, function=function)
    like = first if first.batch_axis is not None else second
    return context.fresh(value, order, shape, like)


def affine(
    context: Context, view: View, scale: Array | None = None, shift: Array | None = None
) -> View:
    """A tensor times constants plus constants that broadcast to it."""
    value = context.emit(
        Affine,
        [view.value],
        context.draft.shape(view.value),
        scale=None if scale is None else spread(context, scale, view),
        shift=None if shift is None else spread(context, shift, view),
    )
    return View(value, view.order, view.dims)


def _const_second(context: Context, function: Function, view: View, numbers: Array) -> View:
    if _widens(view, numbers):
        return combine(context, function, view, constant_view(context, numbers, view))
    if view.dtype == "int64":
        raise Refusal("arithmetic on integers that depend on the sample is not supported")
    match function:
        case "add":
            return affine(context, view, shift=numbers)
        case "sub":
            return affine(context, view, shift=-numbers)
        case "mul":
            return affine(context, view, scale=numbers)
        case "div":
            return affine(context, view, scale=1.0 / numbers)
    if numbers.size != 1:
        return combine(context, function, view, constant_view(context, numbers, view))
    number = float(numbers.reshape(-1)[0])
    low, high = (number, np.inf) if function == "max" else (-np.inf, number)
    return elementwise(context, view, Activation("clip", alpha=low, beta=high))


def _const_first(context: Context, function: Function, numbers: Array, view: View) -> View:
    """Number - x and number / x."""
    if _widens(view, numbers):
        return combine(context, function, constant_view(context, numbers, view), view)
    if function == "sub":
        return affine(context, view, scale=np.array(-1.0), shift=numbers)
    value = context.emit(
        Elementwise,
        [view.value],
        context.draft.shape(view.value),
        activation=Activation("reciprocal"),
    )
    return affine(context, View(value, view.order, view.dims), scale=numbers)


def _numbers(const: Const, context: Context) -> Array:
    return doubles(const.per_sample(context.batch.size)).astype(np.float64)


def _widens(view: View, numbers: Array) -> bool:
    shape = view.shape
    tail = numbers.shape[max(0, numbers.ndim - len(shape)) :]
    if any(size != 1 for size in numbers.shape[: max(0, numbers.ndim - len(shape))]):
        return True
    pairs = zip(reversed(tail), reversed(shape), strict=False)
    return any(size not in (1, length) for size, length in pairs)


def _padded(view: View, rank: int) -> View:
    return view.with_dims([()] * (rank - view.rank) + list(view.dims))
