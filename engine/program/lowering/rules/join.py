"""Concat and Tile."""

from __future__ import annotations

from engine.program.graph import Concat
from engine.program.lowering.broadcasting import constant_view
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.rules.shape import expanded
from engine.program.lowering.views import View


@lowers("Concat")
def concat(node: Node, context: Context) -> View:
    """Tensors one after the other along any axis but the batch."""
    given = [tensor for tensor in node.inputs if tensor is not None]
    like = next(tensor for tensor in given if isinstance(tensor, View) and tensor.rank)
    views = []
    for index, tensor in enumerate(given):
        if isinstance(tensor, View):
            views.append(tensor)
        else:
            views.append(constant_view(context, node.weight(index), like))
    return joined(context, views, node.integer("axis"))


def joined(context: Context, views: list[View], axis: int) -> View:
    """Views of one rank, joined."""
    like = next((view for view in views if view.batch_axis is not None), views[0])
    axis = like.sample_axis(axis)
    if len({view.batch_axis for view in views} - {None}) > 1:
        raise Refusal("the batch is another axis in one input than in the other")
    order = context.common_order(views, like.batch_axis)
    names = [context.arrange(view, order) for view in views]
    sizes = list(like.shape)
    sizes[axis] = sum(view.shape[axis] for view in views)
    made = tuple(sizes[at] for at in order)
    if len(names) == 1:
        return views[0]
    value = context.emit(Concat, names, made, like.dtype, axis=order.index(axis))
    return context.fresh(value, order, sizes, like, like.dtype)


@lowers("Tile")
def tile(node: Node, context: Context) -> View:
    """Copies side by side along every axis but the batch."""
    view = node.view(0)
    repeats = node.const(1).numbers()
    for axis, count in enumerate(repeats):
        if count == 1:
            continue
        if axis != view.batch_axis and view.shape[axis] == 1:
            target = list(view.shape)
            target[axis] = count
            view = expanded(context, view, tuple(target))
        else:
            view = joined(context, [view] * count, axis)
    return view
