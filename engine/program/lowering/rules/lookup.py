"""Labels and tokens: rows of a table, one-hot vectors, comparisons with a range."""

from __future__ import annotations

import numpy as np

from engine.program.graph import Embedding
from engine.program.lowering.constants import Const
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node
from engine.program.lowering.rules.region import take
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.views import View, dim_of
from engine.program.values import Array


@lowers("Gather")
def gather(node: Node, context: Context) -> View:
    """Rows of a constant by an index of the sample, or positions by constant indices."""
    axis = node.integer("axis", 0)
    if isinstance(node.inputs[0], View):
        return take(context, node.view(0), axis, node.const(1).array)
    table = node.weight(0)
    if axis % table.ndim:
        raise Refusal(f"rows are taken along axis {axis} of a table; only axis 0 is supported")
    return embed(context, node.view(1), table)


@lowers("GatherND")
def gather_nd(node: Node, context: Context) -> View:
    """table[labels], as PyTorch exports the indexing: indices in a last axis of one."""
    node.refuse_attributes(batch_dims=0)
    view = node.view(1)
    if view.rank == 0 or view.dims[-1] != ():
        raise Refusal("rows are found by one index each, not by several")
    return embed(context, view.with_dims(view.dims[:-1]), node.weight(0))


@lowers("OneHot")
def one_hot(node: Node, context: Context) -> View:
    """A row that is `on` at the label and `off` elsewhere."""
    depth = int(node.const(1).scalar())
    off, on = node.weight(2).astype(np.float64)
    view = node.view(0)
    if node.integer("axis", -1) % (view.rank + 1) != view.rank:
        raise Refusal("only axis=-1 is supported")
    return embed(context, view, np.full((depth, depth), off) + np.eye(depth) * (on - off))


@lowers("Equal")
def equal(node: Node, context: Context) -> View:
    """A label against a range of constants: a one-hot vector by another way."""
    views = [tensor for tensor in node.inputs if isinstance(tensor, View)]
    index = next((i for i, tensor in enumerate(node.inputs) if isinstance(tensor, Const)), None)
    if len(views) != 1 or index is None or views[0].dtype != "int64":
        raise Refusal("only labels can be compared, and only with constants")
    (view,) = views
    numbers = node.weight(index)
    if numbers.size == 0 or numbers.ndim == 0 or numbers.size != numbers.shape[-1]:
        raise Refusal(f"a label is compared with a tensor of shape {list(numbers.shape)}")
    numbers = numbers.reshape(-1)
    if view.rank == 0 or view.dims[-1] != () or numbers.min() < 0:
        raise Refusal("labels are compared with something else than a range of classes")
    classes = np.arange(int(numbers.max()) + 1)
    table = (classes[:, None] == numbers[None, :]).astype(np.float64)
    return embed(context, view.with_dims(view.dims[:-1]), table)


@lowers("ScatterElements")
def scatter(node: Node, context: Context) -> View:
    """zeros.scatter(1, labels, 1): a one-hot vector by yet another way."""
    data, updates = node.weight(0), node.weight(2)
    view = node.view(1)
    node.refuse_attributes(reduction="none")
    axis = node.integer("axis", 0)
    plain = data.ndim == 2 and data.shape[0] == 1 and axis % 2 == 1
    if not plain or view.rank != 2 or view.dims[1] != () or updates.size != 1:
        raise Refusal("only one-hot vectors can be scattered: one number per label, along axis 1")
    table = np.repeat(data, data.shape[1], axis=0)
    np.fill_diagonal(table, float(updates.reshape(-1)[0]))
    return embed(context, view.with_dims(view.dims[:1]), table)


def embed(context: Context, view: View, table: Array) -> View:
    """Rows of a table [classes, *row] in the place of every index."""
    if view.dtype != "int64":
        raise Refusal("an index is not an integer")
    order = [axis for axis in range(view.rank) if axis != view.batch_axis]
    row = table.shape[1:]
    name = context.arrange(view, order)
    positions = context.draft.shape(name)
    value = context.emit(Embedding, [name], (*positions, *row), table=table)
    inside = [dim_of(size) for size in row]
    atoms = tuple(atom for axis in order for atom in view.dims[axis])
    return View(value, (*atoms, *(a for dim in inside for a in dim)), (*view.dims, *inside))
