"""Resize and Upsample: nearest by integers is an operation of its own, the rest are matrices."""

from __future__ import annotations

import numpy as np

from engine.program.graph import Resample, Upsample
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.interpolation import Interpolation, matrix
from engine.program.lowering.node import Node
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.views import View
from engine.program.values import Array

_NO_ROI = 11


@lowers("Resize", "Upsample")
def resize(node: Node, context: Context) -> View:
    """[batch, C, *S] -> [batch, C, *T]."""
    view = node.view(0)
    order = context.channels_last(view)
    scales, sizes = _targets(node, view)
    new = [
        int(np.floor(size * scale)) if given is None else given
        for size, scale, given in zip(view.shape, scales, sizes, strict=True)
    ]
    if new[:2] != list(view.shape[:2]):
        raise Refusal("it resizes the batch or the channels")
    how = _interpolation(node)
    matrices = [
        matrix(view.shape[axis], new[axis], scales[axis], how) for axis in range(2, view.rank)
    ]
    return _emit(context, view, order, matrices, new)


def _emit(
    context: Context, view: View, order: list[int], matrices: list[Array], new: list[int]
) -> View:
    name = context.arrange(view, order)
    shape = tuple(new[axis] for axis in order)
    factors = tuple(_repeats(weights) for weights in matrices)
    if all(factor is not None for factor in factors):
        if all(factor == 1 for factor in factors):
            return view
        value = context.emit(Upsample, [name], shape, scales=factors)
    else:
        kept = tuple(
            None if factor == 1 else weights
            for factor, weights in zip(factors, matrices, strict=True)
        )
        value = context.emit(Resample, [name], shape, matrices=kept)
    return context.fresh(value, order, new, view)


def _targets(node: Node, view: View) -> tuple[list[float], list[int | None]]:
    """Scale and, where it is given, size of each axis."""
    rank = view.rank
    none: list[int | None] = [None] * rank
    if node.op == "Upsample" or node.opset < _NO_ROI:
        given = node.node.attributes.get("scales")
        if given is not None:
            return [float(scale) for scale in given.as_floats()], none
        return [float(scale) for scale in node.const(1).array], none
    axes = [view.axis(axis) for axis in node.integers("axes") or range(rank)]
    scales = [1.0] * rank
    if node.has(2) and node.const(2).array.size:
        for axis, scale in zip(axes, node.const(2).array, strict=True):
            scales[axis] = float(scale)
        return scales, none
    if node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Refusal("keep_aspect_ratio_policy is not supported")
    sizes: list[int | None] = list(view.shape)
    for axis, size in zip(axes, node.const(3).numbers(), strict=True):
        sizes[axis] = size
        scales[axis] = size / view.shape[axis]
    return scales, sizes


def _interpolation(node: Node) -> Interpolation:
    node.refuse_attributes(antialias=0)
    mode = node.text("mode", "nearest")
    older = node.op == "Upsample" or node.opset < _NO_ROI
    coordinates = (
        "asymmetric" if older else node.text("coordinate_transformation_mode", "half_pixel")
    )
    rounding = "floor" if older else node.text("nearest_mode", "round_prefer_floor")
    return Interpolation(
        mode=mode,
        coordinates=coordinates,
        rounding=rounding,
        cubic=node.number("cubic_coeff_a", -0.75),
        exclude_outside=bool(node.integer("exclude_outside", 0)),
    )


def _repeats(weights: Array) -> int | None:
    """The factor, if the matrix repeats every position alike."""
    new, old = weights.shape
    if new % old:
        return None
    plain = np.repeat(np.eye(old), new // old, axis=0)
    return new // old if np.array_equal(weights, plain) else None
