"""Shapes of what moves, repeats or makes elements without arithmetic."""

from __future__ import annotations

import math

from engine.program.graph import Concat, Constant, Pad, Permute, Reshape, Shape, Slice, Upsample
from engine.program.shapes.common import Shapes, along, one, per_axis, same


def concat(operation: Concat, given: Shapes) -> Shapes:
    """Sizes along the axis add up, the others agree."""
    first = given[0] if given else ()
    axis = along(operation.axis, first)
    for shape in given[1:]:
        same("input", _without(shape, axis), _without(first, axis))
    total = sum(shape[axis] for shape in given)
    return ((*first[:axis], total, *first[axis + 1 :]),)


def constant(operation: Constant, given: Shapes) -> Shapes:
    """The value's shape."""
    if given:
        raise ValueError("takes no inputs")
    return (operation.value.shape,)


def reshape(operation: Reshape, given: Shapes) -> Shapes:
    """The shape that it is asked for, of as many elements."""
    shape = one(given)
    if math.prod(shape) != math.prod(operation.shape):
        raise ValueError(f"{list(shape)} has other elements than {list(operation.shape)}")
    return (operation.shape,)


def permute(operation: Permute, given: Shapes) -> Shapes:
    """Sizes in the order of the axes."""
    shape = one(given)
    axes = [along(axis, shape) for axis in operation.axes]
    if sorted(axes) != list(range(len(shape))):
        raise ValueError(f"axes={operation.axes} of {list(shape)}")
    return (tuple(shape[axis] for axis in axes),)


def cut(operation: Slice, given: Shapes) -> Shapes:
    """The sizes that it is asked for; their first and last elements lie inside."""
    shape = one(given)
    for values in (operation.begin, operation.sizes, operation.step):
        per_axis("slice", values, len(shape))
    for size, first, count, step in zip(
        shape, operation.begin, operation.sizes, operation.step, strict=True
    ):
        last = first + step * (count - 1)
        if not step or not (0 <= first < size and 0 <= last < size):
            raise ValueError(f"{count} from {first} in steps of {step} leave the size {size}")
    return (operation.sizes,)


def pad(operation: Pad, given: Shapes) -> Shapes:
    """Sizes grow by what is put before and after."""
    shape = one(given)
    per_axis("before", operation.before, len(shape))
    per_axis("after", operation.after, len(shape))
    if min((*operation.before, *operation.after), default=0) < 0:
        raise ValueError(f"negative padding {operation.before}, {operation.after}")
    sides = zip(operation.before, shape, operation.after, strict=True)
    return (tuple(sum(part) for part in sides),)


def upsample(operation: Upsample, given: Shapes) -> Shapes:
    """[*sizes, C] -> [*sizes * scales, C]."""
    shape = one(given)
    per_axis("scales", operation.scales, len(shape) - 1)
    if min(operation.scales, default=1) < 1:
        raise ValueError(f"scales={operation.scales} below 1")
    sizes = (size * scale for size, scale in zip(shape, operation.scales, strict=False))
    return ((*sizes, shape[-1]),)


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]
