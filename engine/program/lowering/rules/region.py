"""Parts of a tensor, and margins around it: Slice, Split, Gather by constants, Pad."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np

from engine.program.graph import Pad, Slice
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node, pairs
from engine.program.lowering.rules.join import joined
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.views import View
from engine.program.values import Array

_MODES: dict[str, Literal["constant", "reflect", "edge", "wrap"]] = {
    "constant": "constant",
    "reflect": "reflect",
    "edge": "edge",
    "wrap": "wrap",
}


@lowers("Slice")
def slice_(node: Node, context: Context) -> View:
    """Python's slices; attributes before opset 10, inputs since."""
    view = node.view(0)
    starts, ends = node.list_of("starts", 1), node.list_of("ends", 2)
    if starts is None or ends is None:
        raise Refusal("its starts and ends are missing")
    axes = node.list_of("axes", 3) or tuple(range(len(starts)))
    steps = tuple(node.const(4).numbers()) if node.has(4) else (1,) * len(starts)
    ranges = {
        view.axis(axis): range(*slice(start, _end(end, step), step).indices(view.shape[axis]))
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)
    }
    return part(context, view, ranges)


@lowers("Split")
def split(node: Node, context: Context) -> list[View]:
    """Neighbouring parts along one axis."""
    view = node.view(0)
    axis = view.sample_axis(node.integer("axis", 0))
    total, count = view.shape[axis], len(node.node.outputs)
    sizes = node.list_of("split", 1)
    if sizes is None:
        each = -(-total // count)
        sizes = (*[each] * (count - 1), total - each * (count - 1))
    edges = np.cumsum([0, *sizes])
    return [
        part(context, view, {axis: range(int(begin), int(end))})
        for begin, end in itertools.pairwise(edges)
    ]


def part(context: Context, view: View, ranges: dict[int, range]) -> View:
    """The positions of each axis that are kept."""
    shape = view.shape
    ranges = {axis: kept for axis, kept in ranges.items() if kept != range(shape[axis])}
    for axis, kept in ranges.items():
        view.sample_axis(axis)
        if not len(kept):
            raise Refusal(f"nothing is left of axis {axis}")
    if not ranges:
        return view
    order = context.natural_order(view)
    name = context.arrange(view, order)
    kept_all = [ranges.get(axis, range(shape[axis])) for axis in order]
    sizes = tuple(len(kept) for kept in kept_all)
    value = context.emit(
        Slice,
        [name],
        sizes,
        view.dtype,
        begin=tuple(kept.start for kept in kept_all),
        sizes=sizes,
        step=tuple(kept.step for kept in kept_all),
    )
    whole = [len(ranges[axis]) if axis in ranges else size for axis, size in enumerate(shape)]
    return context.fresh(value, order, whole, view, view.dtype)


def take(context: Context, view: View, axis: int, index: Array) -> View:
    """Positions by constant indices: a slice where they are evenly spaced, else slices joined."""
    axis = view.sample_axis(axis)
    size = view.shape[axis]
    wanted = [int(i) % size for i in index.reshape(-1)]
    if index.ndim > 1 or not wanted:
        raise Refusal(f"indices of shape {list(index.shape)} are not supported")
    steps = {second - first for first, second in itertools.pairwise(wanted)} or {1}
    if len(steps) == 1 and 0 not in steps:
        step = steps.pop()
        made = part(context, view, {axis: range(wanted[0], wanted[-1] + step, step)})
    else:
        pieces = [part(context, view, {axis: range(i, i + 1)}) for i in wanted]
        made = joined(context, pieces, axis)
    return made.squeeze([axis]) if index.ndim == 0 else made


@lowers("Pad")
def pad(node: Node, context: Context) -> View:
    """Zeros, another number, or the map's own numbers around it; negative pads crop."""
    view = node.view(0)
    mode = _MODES.get(node.text("mode", "constant"))
    given = node.list_of("pads", 1)
    if given is None:
        given = node.integers("paddings")
    if mode is None or given is None:
        raise Refusal(f"mode {node.text('mode', 'constant')!r} is not supported")
    axes = node.const(3).numbers() if node.has(3) else list(range(view.rank))
    value = node.const(2).scalar() if node.has(2) else node.number("value", 0.0)
    margins = dict(zip((view.axis(axis) for axis in axes), pairs(given), strict=True))
    cropped = {
        axis: range(max(0, -begin), view.shape[axis] - max(0, -end))
        for axis, (begin, end) in margins.items()
        if begin < 0 or end < 0
    }
    view = part(context, view, cropped)
    return padded(context, view, margins, mode, value)


def padded(
    context: Context,
    view: View,
    margins: dict[int, tuple[int, int]],
    mode: Literal["constant", "reflect", "edge", "wrap"],
    value: float,
) -> View:
    """Margins (begin, end) by axis; negative ones count as none."""
    wide = {axis: (max(0, b), max(0, e)) for axis, (b, e) in margins.items() if b > 0 or e > 0}
    for axis in wide:
        view.sample_axis(axis)
    if not wide:
        return view
    sizes = [size + sum(wide.get(axis, (0, 0))) for axis, size in enumerate(view.shape)]
    order = context.natural_order(view)
    name = context.arrange(view, order)
    made = context.emit(
        Pad,
        [name],
        tuple(sizes[axis] for axis in order),
        before=tuple(wide.get(axis, (0, 0))[0] for axis in order),
        after=tuple(wide.get(axis, (0, 0))[1] for axis in order),
        mode=mode,
        value=value,
    )
    return context.fresh(made, order, sizes, view)


def _end(end: int, step: int) -> int | None:
    """ONNX says 'down to and with 0' by a very small number, Python by None."""
    return None if step < 0 and end < -(2**31) + 2 else end
