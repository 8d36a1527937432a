"""Nodes that only change how a tensor is seen, and nodes that ask for its shape."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from engine.program.graph import Upsample
from engine.program.lowering.constants import BATCHES, Const
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.views import Dim, View, dim_of, without_batch
from engine.program.values import Array


@lowers("Shape")
def shape_of(node: Node, context: Context) -> Const:
    """Under both primes, if the batch is free."""
    view = node.view(0)
    start, end = node.integer("start", 0), node.integer("end", view.rank)
    sizes = np.array(view.shape, np.int64)[start:end]
    return Const.of(sizes, _under_second(context, view, sizes, start, end))


@lowers("Size")
def size_of_tensor(node: Node, context: Context) -> Const:
    """Number of elements, under both primes."""
    view = node.view(0)
    sizes = np.array(view.shape, np.int64)
    other = _under_second(context, view, sizes, 0, view.rank)
    return Const.of(
        np.array(math.prod(sizes.tolist())),
        None if other is None else np.array(math.prod(other.tolist())),
    )


@lowers("Reshape")
def reshape(node: Node, context: Context) -> View:
    """0 keeps a dimension, -1 is what is left."""
    view = node.view(0)
    given = node.list_of("shape", 1)
    if given is None:
        raise Refusal("its shape is missing")
    target = list(given)
    if not node.integer("allowzero", 0):
        target = [view.shape[i] if size == 0 else size for i, size in enumerate(target)]
    if target.count(-1) == 1:
        rest = math.prod(size for size in target if size != -1)
        total = math.prod(view.shape)
        if rest == 0 or total % rest:
            raise Refusal(f"{list(view.shape)} cannot be reshaped to {list(given)}")
        target[target.index(-1)] = total // rest
    return reshaped(context, view, target)


def reshaped(context: Context, view: View, target: list[int]) -> View:
    """By following the axes; where an edge falls inside one, by a Reshape in ONNX's order."""
    try:
        return view.reshape(target)
    except Refusal:
        batch_first = view.batch_axis == 0 and view.dims[0] == (context.batch,)
        if not batch_first or not target or target[0] != context.batch.size:
            raise
    flat: Dim = tuple(atom for dim in view.dims[1:] for atom in dim)
    name = context.arrange(view, [flat])
    whole = dim_of(context.draft.shape(name)[0])
    seen = View(name, whole, (view.dims[0], whole), view.dtype)
    return seen.reshape(target)


@lowers("Flatten")
def flatten(node: Node, context: Context) -> View:
    """Two dimensions, cut at an axis."""
    view = node.view(0)
    axis = node.integer("axis", 1)
    axis = axis + view.rank if axis < 0 else axis
    sizes = view.shape
    return reshaped(context, view, [math.prod(sizes[:axis]), math.prod(sizes[axis:])])


@lowers("Transpose")
def transpose(node: Node, context: Context) -> View:
    """Only the order of dimensions."""
    view = node.view(0)
    return view.transpose(node.integers("perm") or tuple(reversed(range(view.rank))))


@lowers("Squeeze")
def squeeze(node: Node, context: Context) -> View:
    """Drop dimensions of size 1."""
    return node.view(0).squeeze(node.list_of("axes", 1))


@lowers("Unsqueeze")
def unsqueeze(node: Node, context: Context) -> View:
    """New dimensions of size 1."""
    axes = node.list_of("axes", 1)
    if axes is None:
        raise Refusal("its axes are missing")
    return node.view(0).unsqueeze(axes)


@lowers("DepthToSpace")
def depth_to_space(node: Node, context: Context) -> View:
    """Pixel shuffle: channels become positions."""
    view, block = node.view(0), node.integer("blocksize")
    batch, channels, height, width = _four(view)
    if channels % (block * block):
        raise Refusal(f"{channels} channels do not divide into blocks of {block} x {block}")
    inside = channels // (block * block)
    if node.text("mode", "DCR") == "DCR":
        split = view.reshape([batch, block, block, inside, height, width])
        moved = split.transpose([0, 3, 4, 1, 5, 2])
    else:
        split = view.reshape([batch, inside, block, block, height, width])
        moved = split.transpose([0, 1, 4, 2, 5, 3])
    return moved.reshape([batch, inside, height * block, width * block])


@lowers("SpaceToDepth")
def space_to_depth(node: Node, context: Context) -> View:
    """Positions become channels."""
    view, block = node.view(0), node.integer("blocksize")
    batch, channels, height, width = _four(view)
    if height % block or width % block:
        raise Refusal(f"{height} x {width} does not divide into blocks of {block} x {block}")
    split = view.reshape([batch, channels, height // block, block, width // block, block])
    moved = split.transpose([0, 3, 5, 1, 2, 4])
    return moved.reshape([batch, channels * block * block, height // block, width // block])


@lowers("Expand")
def expand(node: Node, context: Context) -> View:
    """Dimensions of size 1 repeated."""
    view = node.view(0)
    target = np.broadcast_shapes(view.shape, tuple(node.const(1).numbers()))
    return expanded(context, view, target)


def expanded(context: Context, view: View, target: tuple[int, ...]) -> View:
    """A tensor with its dimensions of size 1 repeated to a wider shape."""
    view = view.with_dims([()] * (len(target) - view.rank) + list(view.dims))
    if view.batch_axis is None and context.batch.size in target and context.batch.size > 1:
        # Samples share it; as a value of the Program it is there for each.
        at = target.index(context.batch.size)
        view = replace(view, dims=(*view.dims[:at], (context.batch,), *view.dims[at + 1 :]))
    if view.shape == tuple(target):
        return view
    order = context.natural_order(view)
    wanted = [target[axis] for axis in order]
    name = context.arrange(view, order)
    sizes = context.draft.shape(name)
    scales = tuple(new // old for new, old in zip(wanted, sizes, strict=True))
    # Upsample leaves the last axis alone.
    name = context.reshaped(name, (*sizes, 1))
    name = context.emit(Upsample, [name], (*wanted, 1), view.dtype, scales=scales)
    return context.fresh(context.reshaped(name, tuple(wanted)), order, target, view, view.dtype)


def _four(view: View) -> tuple[int, int, int, int]:
    if view.rank != 4:
        raise Refusal(f"a tensor of rank {view.rank} is no [batch, C, H, W]")
    batch, channels, height, width = view.shape
    return batch, channels, height, width


def _under_second(context: Context, view: View, sizes: Array, start: int, end: int) -> Array | None:
    if context.batch.size != BATCHES[0] or view.batch_axis is None:
        return None
    other = [
        math.prod(a.size for a in without_batch(dim))
        * (BATCHES[1] if any(a.batch for a in dim) else 1)
        for dim in view.dims
    ]
    return np.array(other, np.int64)[start:end]
