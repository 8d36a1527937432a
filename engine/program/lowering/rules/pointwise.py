"""Functions of one element, and nodes that change nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from engine.program.graph import Activation, Elementwise, Embedding, PRelu
from engine.program.lowering.broadcasting import spread
from engine.program.lowering.context import Context, Tensor
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.views import View

_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
_INTEGERS = (TensorProto.INT32, TensorProto.INT64)

_PLAIN = {
    "Relu": "relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "HardSwish": "hard_swish",
    "Mish": "mish",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Reciprocal": "reciprocal",
    "Abs": "abs",
    "Neg": "neg",
    "Erf": "erf",
    "Sin": "sin",
    "Cos": "cos",
    "Floor": "floor",
    "Ceil": "ceil",
    "Round": "round",
    "Sign": "sign",
}
# Attributes are single precision: the defaults of selu are given to the digits of the standard.
_SELU = (1.67326319217681884765625, 1.05070102214813232421875)
_WITH_NUMBERS: dict[str, Callable[[Node], Activation]] = {
    "LeakyRelu": lambda node: Activation("leaky_relu", alpha=node.number("alpha", 0.01)),
    "Elu": lambda node: Activation("elu", alpha=node.number("alpha", 1.0)),
    "Celu": lambda node: Activation("celu", alpha=node.number("alpha", 1.0)),
    "ThresholdedRelu": lambda node: Activation("thresholded_relu", alpha=node.number("alpha", 1.0)),
    "HardSigmoid": lambda node: Activation(
        "hard_sigmoid", alpha=node.number("alpha", 0.2), beta=node.number("beta", 0.5)
    ),
    "Selu": lambda node: Activation(
        "selu", alpha=node.number("alpha", _SELU[0]), beta=node.number("gamma", _SELU[1])
    ),
    "Gelu": lambda node: Activation(
        {"none": "gelu", "tanh": "gelu_tanh"}[node.text("approximate", "none")]
    ),
}


@lowers(*_PLAIN, *_WITH_NUMBERS)
def activation(node: Node, context: Context) -> View:
    """An activation by its ONNX name."""
    if node.op in _PLAIN:
        return elementwise(context, node.view(0), Activation(_PLAIN[node.op]))
    return elementwise(context, node.view(0), _WITH_NUMBERS[node.op](node))


@lowers("Swish")
def swish(node: Node, context: Context) -> View:
    """x * sigmoid(alpha * x); only alpha=1 has a name of its own."""
    node.refuse_attributes(alpha=1.0)
    return elementwise(context, node.view(0), Activation("silu"))


@lowers("Clip")
def clip(node: Node, context: Context) -> View:
    """Limits are attributes before opset 11, inputs since."""
    low, high = node.number("min", -np.inf), node.number("max", np.inf)
    if node.has(1):
        low = node.const(1).scalar()
    if node.has(2):
        high = node.const(2).scalar()
    if low == 0 and high == np.inf:
        return elementwise(context, node.view(0), Activation("relu"))
    return elementwise(context, node.view(0), Activation("clip", alpha=low, beta=high))


@lowers("PRelu")
def prelu(node: Node, context: Context) -> View:
    """A slope for each channel; one slope for all is a leaky ReLU."""
    view, slope = node.view(0), node.weight(1)
    if slope.size and np.all(slope == slope.reshape(-1)[0]):
        alpha = float(slope.reshape(-1)[0])
        return elementwise(context, view, Activation("leaky_relu", alpha=alpha))
    value = context.emit(
        PRelu, [view.value], context.draft.shape(view.value), slope=spread(context, slope, view)
    )
    return View(value, view.order, view.dims)


@lowers("Identity", "Dropout")
def identity(node: Node, context: Context) -> View | list[Tensor]:
    """Nothing at inference. A dropout that stays on is noise, which must be an input."""
    if node.op == "Dropout" and node.has(2) and bool(node.const(2).scalar()):
        raise Refusal("training_mode is on: it would draw noise; export the network in eval mode")
    return node.view(0)


@lowers("Cast", "CastLike")
def cast(node: Node, context: Context) -> View:
    """From float to float, and from integer to integer: widths are the backend's choice."""
    view = node.view(0)
    if node.op == "CastLike":
        like = node.inputs[1]
        target = (like.dtype if isinstance(like, View) else "int64") == "float32"
        if isinstance(like, View) and target == (view.dtype == "float32"):
            return view
        raise Refusal("its type depends on a constant")
    to = node.integer("to")
    if (view.dtype == "float32" and to in _FLOATS) or (view.dtype == "int64" and to in _INTEGERS):
        return view
    if to in (*_INTEGERS, TensorProto.BOOL) and _holds_whole_numbers(context, view):
        return view
    if to == TensorProto.UINT8:
        raise Refusal(
            "a cast to UINT8 is not supported, for engines make images of a Program's floats "
            "themselves; export the network without --output uint8"
        )
    raise Refusal(f"a cast of {view.dtype} to {TensorProto.DataType.Name(to)} is not supported")


def _holds_whole_numbers(context: Context, view: View) -> bool:
    """Rows of a table of 0 and 1: a one-hot vector, which exporters cast to and fro."""
    source = context.draft.producer(view.value)
    return isinstance(source, Embedding) and bool(np.isin(source.table, (0, 1)).all())


def elementwise(context: Context, view: View, function: Activation) -> View:
    """An activation of every element; the view stays as it is."""
    if view.dtype != "float32":
        raise Refusal(f"{function.kind} of integers is not supported")
    value = context.emit(
        Elementwise, [view.value], context.draft.shape(view.value), activation=function
    )
    return View(value, view.order, view.dims)
