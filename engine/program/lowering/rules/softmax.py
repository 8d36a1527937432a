"""Softmax and its logarithm."""

from __future__ import annotations

from engine.program.graph import Activation, Softmax
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node
from engine.program.lowering.rules.pointwise import elementwise
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.views import View

_ONE_AXIS = 13


@lowers("Softmax", "LogSoftmax")
def softmax(node: Node, context: Context) -> View:
    """Over one axis; before opset 13, over all axes from it on."""
    view = node.view(0)
    newer = node.opset >= _ONE_AXIS
    first = view.axis(node.integer("axis", -1 if newer else 1))
    axes = [first] if newer else list(range(first, view.rank))
    last = tuple(atom for axis in axes for atom in view.dims[axis])
    if any(atom.batch for atom in last):
        raise Refusal("it works along the batch: samples would mix")
    rest = tuple(atom for atom in view.order if atom not in last)
    name = context.arrange(view, [*((atom,) for atom in rest), last])
    value = context.emit(Softmax, [name], context.draft.shape(name))
    made = View(value, (*rest, *last), view.dims)
    return elementwise(context, made, Activation("log")) if node.op == "LogSoftmax" else made
