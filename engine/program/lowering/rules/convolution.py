"""Conv and ConvTranspose: every form of padding becomes a begin and an output size."""

from __future__ import annotations

import numpy as np

from engine.program.graph import Convolution
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node, pairs
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.views import View
from engine.program.values import Array
from kernels.geometry import Direction, Geometry, Size


@lowers("Conv")
def conv(node: Node, context: Context) -> View:
    """[batch, C, *S], weight [M, C / groups, *kernel]."""
    weight = node.weight(1)
    groups = node.integer("group", 1)
    kernel = tuple(weight.shape[2:])
    laid = np.moveaxis(weight, (0, 1), (-1, -2))
    return _lower(node, context, "forward", laid, kernel, groups)


@lowers("ConvTranspose")
def conv_transpose(node: Node, context: Context) -> View:
    """[batch, C, *S], weight [C, M / groups, *kernel]."""
    weight = node.weight(1)
    groups = node.integer("group", 1)
    kernel = tuple(weight.shape[2:])
    inside, out = weight.shape[:2]
    if inside % groups:
        raise Refusal(f"group={groups} does not divide {inside} channels")
    split = weight.reshape(groups, inside // groups, out, *kernel)
    laid = np.moveaxis(split, (1, 0, 2), (-3, -2, -1))
    laid = laid.reshape(*kernel, inside // groups, groups * out)
    return _lower(node, context, "transposed", laid, kernel, groups)


def _lower(
    node: Node, context: Context, direction: Direction, weight: Array, kernel: Size, groups: int
) -> View:
    view = node.view(0)
    order = context.channels_last(view)
    shape = view.shape
    inside, out = weight.shape[-2:]
    rank = len(kernel)
    if len(shape) != rank + 2 or not 1 <= rank <= 3:
        raise Refusal(f"a kernel of {rank} axes on a tensor of {len(shape) - 2} spatial axes")
    if shape[1] != inside * groups or out % groups:
        raise Refusal(f"{shape[1]} channels for a weight of {inside} x {groups} groups")
    geometry = _geometry(node, direction, shape[2:], kernel)
    shift = node.optional_weight(2)
    value = context.emit(
        Convolution,
        [context.arrange(view, order)],
        (*geometry.output_size, out),
        geometry=geometry,
        weight=weight,
        shift=None if shift is None or not shift.any() else shift,
        groups=groups,
    )
    return context.fresh(value, order, (shape[0], out, *geometry.output_size), view)


def _geometry(node: Node, direction: Direction, sizes: Size, kernel: Size) -> Geometry:
    rank = len(kernel)
    stride = node.integers("strides") or (1,) * rank
    dilation = node.integers("dilations") or (1,) * rank
    reach = tuple(gap * (taps - 1) + 1 for gap, taps in zip(dilation, kernel, strict=True))
    if direction == "forward":
        pads = _forward_pads(node, sizes, reach, stride)
        output = tuple(
            (size + begin + end - span) // step + 1
            for size, (begin, end), span, step in zip(sizes, pads, reach, stride, strict=True)
        )
    else:
        full = tuple(
            step * (size - 1) + more + span
            for step, size, more, span in zip(
                stride, sizes, node.integers("output_padding") or (0,) * rank, reach, strict=True
            )
        )
        pads, output = _transposed_pads(node, sizes, full, stride)
    padding = tuple(begin for begin, _ in pads)
    if any(size < 1 for size in output):
        raise Refusal(f"its output would have the size {list(output)}")
    if any(begin < 0 for begin in padding):
        raise Refusal(f"negative pads {[list(pair) for pair in pads]} are not supported")
    return Geometry(direction, tuple(sizes), output, kernel, stride, padding, dilation)


def _forward_pads(node: Node, sizes: Size, reach: Size, stride: Size) -> list[tuple[int, int]]:
    mode = node.text("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return pairs(node.integers("pads") or (0,) * (2 * len(sizes)))
    if mode == "VALID":
        return [(0, 0)] * len(sizes)
    totals = [
        max((-(-size // step) - 1) * step + span - size, 0)
        for size, span, step in zip(sizes, reach, stride, strict=True)
    ]
    return [_split(total, mode) for total in totals]


def _transposed_pads(
    node: Node, sizes: Size, full: Size, stride: Size
) -> tuple[list[tuple[int, int]], Size]:
    mode = node.text("auto_pad", "NOTSET")
    wanted = node.integers("output_shape")
    if wanted is None and mode.startswith("SAME"):
        wanted = tuple(size * step for size, step in zip(sizes, stride, strict=True))
    if wanted is not None:
        wanted = wanted[-len(sizes) :]
        totals = [max(whole - size, 0) for whole, size in zip(full, wanted, strict=True)]
        return [_split(total, mode) for total in totals], wanted
    given = node.integers("pads") if mode == "NOTSET" else None
    pads = pairs(given or (0,) * (2 * len(sizes)))
    output = tuple(whole - sum(pair) for whole, pair in zip(full, pads, strict=True))
    return pads, output


def _split(total: int, mode: str) -> tuple[int, int]:
    """SAME_UPPER puts the odd one at the end, every other mode at the beginning."""
    begin = total // 2 if mode == "SAME_UPPER" else total - total // 2
    return begin, total - begin
