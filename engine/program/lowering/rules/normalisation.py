"""Norms. Those with statistics of their own are folded; the rest become operations."""

from __future__ import annotations

import numpy as np

from engine.program.graph import InstanceNorm, LayerNorm
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node
from engine.program.lowering.rules.binary import affine
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.views import View, size_of
from engine.program.values import Array


@lowers("BatchNormalization")
def batch_norm(node: Node, context: Context) -> View:
    """(x - mean) / sqrt(var + epsilon) * scale + shift, from the running statistics."""
    if node.integer("training_mode", 0) or len(node.node.outputs) > 1:
        raise Refusal("it is in training mode and would mix samples; export in eval mode")
    view = node.view(0)
    scale, shift, mean, variance = (node.weight(index) for index in range(1, 5))
    factor = scale / np.sqrt(variance + node.number("epsilon", 1e-5))
    column = (1, -1) + (1,) * (view.rank - 2)
    offset = shift - mean * factor
    return affine(context, view, factor.reshape(column), offset.reshape(column))


@lowers("InstanceNormalization")
def instance_norm(node: Node, context: Context) -> View:
    """Over all positions of each channel; a channel may be a group of channels."""
    view = node.view(0)
    scale, shift = node.weight(1), node.weight(2)
    view.need_batch_first()
    if view.rank < 3:
        raise Refusal(f"a tensor of rank {view.rank} has no positions")
    return _norm(context, view, scale, shift, node.number("epsilon", 1e-5))


@lowers("GroupNormalization")
def group_norm(node: Node, context: Context) -> View:
    """Groups of neighbouring channels share their statistics."""
    view, groups = node.view(0), node.integer("num_groups")
    scale, shift = node.weight(1), node.weight(2)
    channels = view.shape[1]
    if channels % groups:
        raise Refusal(f"{groups} groups of {channels} channels")
    if scale.size == groups != channels:
        # Before opset 21 there was one number a group.
        scale, shift = (np.repeat(array, channels // groups) for array in (scale, shift))
    order = context.channels_last(view)
    name = context.arrange(view, order)
    shape = context.draft.shape(name)
    epsilon = node.number("epsilon", 1e-5)
    value = context.emit(
        InstanceNorm, [name], shape, scale=scale, shift=shift, epsilon=epsilon, groups=groups
    )
    return context.fresh(value, order, view.shape, view)


def _norm(context: Context, view: View, scale: Array, shift: Array, epsilon: float) -> View:
    groups = view.shape[1]
    # Torch says a group norm by making a group one channel, and its channels positions. The
    # channels lie last in memory: what follows the group there is the channels within it.
    starts = [i for i, atom in enumerate(view.order) if atom in view.dims[1]]
    channels = view.order[starts[0] :] if starts else ()
    if channels[: len(view.dims[1])] != view.dims[1]:
        channels = view.dims[1]
    positions = tuple(atom for atom in view.order if atom not in channels)
    if not positions:
        positions, channels = tuple(a for a in channels if a not in view.dims[1]), view.dims[1]
    count = size_of(channels)
    name = context.arrange(view, [*((atom,) for atom in positions), channels])
    shape = context.draft.shape(name)
    if len(shape) == 1:
        name, shape = context.reshaped(name, (1, *shape)), (1, *shape)
    value = context.emit(
        InstanceNorm,
        [name],
        shape,
        scale=np.repeat(scale, count // groups),
        shift=np.repeat(shift, count // groups),
        epsilon=epsilon,
        groups=None if count == groups else groups,
    )
    return View(value, (*positions, *channels), view.dims)


@lowers("LayerNormalization")
def layer_norm(node: Node, context: Context) -> View:
    """Over the last dimensions, which become one axis."""
    view = node.view(0)
    if len(node.node.outputs) > 1:
        raise Refusal("its mean and deviation are used as outputs")
    axis = view.sample_axis(node.integer("axis", -1))
    last = tuple(atom for dim in view.dims[axis:] for atom in dim)
    if any(atom.batch for atom in last):
        raise Refusal("it norms over the batch: samples would mix")
    size = size_of(last)
    sizes = view.shape[axis:]
    scale = np.broadcast_to(node.weight(1), sizes).reshape(-1)
    shift = node.optional_weight(2)
    shift = np.zeros(size) if shift is None else np.broadcast_to(shift, sizes).reshape(-1)
    tail = view.order[len(view.order) - len(last) :]
    if set(tail) != set(last):
        tail = last
    rest = tuple(atom for atom in view.order if atom not in tail)
    place = np.arange(size).reshape([atom.size for atom in last])
    place = place.transpose([last.index(atom) for atom in tail]).reshape(-1)
    name = context.arrange(view, [*((atom,) for atom in rest), tail])
    value = context.emit(
        LayerNorm,
        [name],
        context.draft.shape(name),
        scale=scale[place],
        shift=shift[place],
        epsilon=node.number("epsilon", 1e-5),
    )
    return View(value, (*rest, *tail), view.dims)
