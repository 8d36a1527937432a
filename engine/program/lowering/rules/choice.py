"""Where, as exporters write torch.lerp: its condition is known, so that one side is the result."""

from __future__ import annotations

import numpy as np

from engine.program.lowering.constants import Const
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.rules.shape import expanded
from engine.program.lowering.views import View


@lowers("Where")
def where(node: Node, context: Context) -> View:
    """The side that the condition picks for all elements."""
    if not isinstance(node.inputs[0], Const):
        raise Refusal("its condition depends on the sample")
    condition = node.inputs[0].per_sample(context.batch.size)
    if condition.min() != condition.max():
        raise Refusal("its condition picks both sides, element by element")
    chosen = node.view(1 if condition.any() else 2)
    shapes = [
        tensor.array.shape if isinstance(tensor, Const) else tensor.shape
        for tensor in node.inputs
        if tensor is not None
    ]
    return expanded(context, chosen, np.broadcast_shapes(*shapes))
