"""Shapes of what works on elements, and of what normalises or reduces."""

from __future__ import annotations

from engine.program.graph import (
    Add,
    Affine,
    Binary,
    InstanceNorm,
    LayerNorm,
    Operation,
    PRelu,
    Reduce,
)
from engine.program.shapes.common import Shapes, along, broadcast, fitting, one, same, vector


def kept(_: Operation, given: Shapes) -> Shapes:
    """The input's shape."""
    return (one(given),)


def add(_: Add, given: Shapes) -> Shapes:
    """The shape that all inputs have."""
    if not given:
        raise ValueError("adds nothing")
    for shape in given[1:]:
        same("input", shape, given[0])
    return (given[0],)


def affine(operation: Affine, given: Shapes) -> Shapes:
    """The input's shape, to which scale and shift repeat."""
    shape = one(given)
    fitting("scale", operation.scale, shape)
    fitting("shift", operation.shift, shape)
    return (shape,)


def prelu(operation: PRelu, given: Shapes) -> Shapes:
    """The input's shape, to which the slope repeats."""
    shape = one(given)
    fitting("slope", operation.slope, shape)
    return (shape,)


def binary(_: Binary, given: Shapes) -> Shapes:
    """Sizes of 1 repeat to the other's."""
    if len(given) != 2 or len(given[0]) != len(given[1]):
        raise ValueError(f"takes two inputs of one rank, not {given}")
    return (broadcast(*given),)


def reduce(operation: Reduce, given: Shapes) -> Shapes:
    """Size 1 along the axes."""
    shape = one(given)
    axes = {along(axis, shape) for axis in operation.axes}
    return (tuple(1 if axis in axes else size for axis, size in enumerate(shape)),)


def instance_norm(operation: InstanceNorm, given: Shapes) -> Shapes:
    """The input's shape; scale and shift are as long as its channels."""
    shape = one(given)
    if len(shape) < 2:
        raise ValueError(f"{list(shape)} has no positions to norm over")
    if operation.groups is not None and (operation.groups < 1 or shape[-1] % operation.groups):
        raise ValueError(f"groups={operation.groups} of {shape[-1]} channels")
    vector("scale", operation.scale, shape[-1])
    vector("shift", operation.shift, shape[-1])
    return (shape,)


def layer_norm(operation: LayerNorm, given: Shapes) -> Shapes:
    """The input's shape; scale and shift are as long as its last axis."""
    shape = one(given)
    if not shape:
        raise ValueError("has no axis to norm over")
    vector("scale", operation.scale, shape[-1])
    vector("shift", operation.shift, shape[-1])
    return (shape,)
