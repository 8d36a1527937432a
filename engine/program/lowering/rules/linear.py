"""Gemm and MatMul. Rows of a weight follow the order in memory, so that nothing is moved."""

from __future__ import annotations

import numpy as np

from engine.program.graph import Linear, MatMul
from engine.program.lowering.constants import Const
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node, doubles
from engine.program.lowering.rules.binary import combine
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.views import View, dim_of, size_of, without_batch
from engine.program.values import Array


@lowers("Gemm")
def gemm(node: Node, context: Context) -> View:
    """alpha * A @ B + beta * C with a constant B."""
    view = node.view(0)
    if node.integer("transA", 0):
        raise Refusal("transA=1 would mix samples")
    weight = node.weight(1) * node.number("alpha", 1.0)
    if node.integer("transB", 0):
        weight = weight.T
    shift = None
    if node.has(2) and isinstance(node.inputs[2], Const):
        beta = node.number("beta", 1.0)
        shift = node.weight(2) * beta
        if shift.shape[:-1] not in ((), (1,)):
            raise Refusal(f"C of shape {list(shift.shape)} is no bias")
        shift = np.broadcast_to(shift.reshape(-1), weight.shape[1])
    made = apply_linear(context, view, weight, shift)
    if node.has(2) and shift is None:
        node.refuse_attributes(beta=1.0)
        return combine(context, "add", made, node.view(2))
    return made


@lowers("MatMul")
def matmul(node: Node, context: Context) -> View:
    """Tensor times weight, weight times tensor, or tensor times tensor."""
    first, second = node.inputs
    if isinstance(first, View) and isinstance(second, View):
        return _product(context, first, second)
    if isinstance(first, View):
        weight = _matrix(node.weight(1))
        return apply_linear(context, first, weight, None)
    view = node.view(1)
    weight = _matrix(node.weight(0))
    if view.rank < 2:
        raise Refusal("a vector stands right of a constant matrix")
    swapped = [*range(view.rank - 2), view.rank - 1, view.rank - 2]
    return apply_linear(context, view.transpose(swapped), weight.T, None).transpose(swapped)


def _matrix(weight: Array) -> Array:
    if weight.ndim < 2 or any(size != 1 for size in weight.shape[:-2]):
        raise Refusal(f"a constant of shape {list(weight.shape)} is not one matrix")
    return doubles(weight.reshape(weight.shape[-2:]))


def apply_linear(context: Context, view: View, weight: Array, shift: Array | None) -> View:
    """The last dimension of a view times weight [in, out], plus shift [out]."""
    last = view.dims[-1] if view.rank else ()
    if any(atom.batch for atom in last):
        raise Refusal("it multiplies over the batch: samples would mix")
    count, out = weight.shape
    if size_of(last) != count:
        raise Refusal(f"{size_of(last)} features for a weight of {count} rows")
    tail = view.order[len(view.order) - len(last) :]
    if set(tail) == set(last):
        rest = view.order[: len(view.order) - len(last)]
    else:
        rest, tail = tuple(atom for atom in view.order if atom not in last), last
    if tail != last:
        rows = np.arange(count).reshape([atom.size for atom in last])
        weight = weight[rows.transpose([last.index(atom) for atom in tail]).reshape(-1)]
    kept = context.draft.shape(view.value)
    if (*rest, *tail) != view.order or kept[-1:] != (count,):
        kept = (*(atom.size for atom in rest), count)
    source = context.arrange(view, [rest, tail], kept)
    value = context.emit(Linear, [source], (*kept[:-1], out), weight=weight, shift=shift)
    made = dim_of(out)
    return View(value, (*rest, *made), (*view.dims[:-1], made))


def _product(context: Context, first: View, second: View) -> View:
    """Products of two tensors of samples, over all leading dimensions."""
    rank = max(first.rank, second.rank)
    if first.rank != second.rank or rank < 3:
        raise Refusal(f"tensors of rank {first.rank} and {second.rank} are multiplied")
    leading = range(rank - 2)
    if first.batch_axis not in leading or first.batch_axis != second.batch_axis:
        raise Refusal("the batch is not a leading axis of both its inputs")
    at = first.batch_axis
    if first.shape[:-2] != second.shape[:-2] or first.shape[-1] != second.shape[-2]:
        raise Refusal(f"shapes {list(first.shape)} and {list(second.shape)} are multiplied")
    outer = [axis for axis in leading if axis != at or without_batch(first.dims[axis])]
    order = [*outer, rank - 2, rank - 1]
    names = [context.arrange(view, order) for view in (first, second)]
    shape = (*context.draft.shape(names[0])[:-1], second.shape[-1])
    value = context.emit(MatMul, names, shape)
    rows, columns = first.dims[-2], dim_of(second.shape[-1])
    dims = (*first.dims[:-1], columns)
    order_atoms = tuple(a for axis in outer for a in without_batch(first.dims[axis]))
    return View(value, (*order_atoms, *rows, *columns), dims)
