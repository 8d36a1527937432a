"""Elements moved without arithmetic: permute, slice, concatenate, upsample, depth to space.

Each is one walk of `kernels.pointwise.map` with its own strides, but two axes exchanged, which
`kernels.pointwise.transpose` does by tiles: x [batch, *shape] is read once and
out written once (upsampling reads x once from memory, and repeats it from cache). A move before or
after a convolution that can do it itself is better left out: nearest upsampling by whole factors
and a convolution are one transposed convolution, and depth to space is how phases are stored.
References: `kernels.reference.layout`, `kernels.reference.resampling`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from kernels.launch import Launch
from kernels.pointwise.checks import check, output
from kernels.pointwise.map import Operand, map_launches
from kernels.pointwise.transpose import transpose_launches
from kernels.pointwise.walk import dense, merged


def permute_launches(x: Tensor, axes: Sequence[int], out: Tensor) -> tuple[Launch, ...]:
    """Launches of x.transpose(0, *axes) for checked tensors; axes count the batch as 0."""
    strides = dense(x.shape)
    walk = (strides[0], *(strides[axis] for axis in axes))
    sizes, (steps, _) = merged(out.shape[1:], [walk[1:], dense(out.shape)[1:]])
    if len(sizes) == 2 and steps[0] == 1:
        return transpose_launches(x, sizes[1], sizes[0], out)
    return map_launches(
        "move_permute", out.shape[1:], Operand(out, dense(out.shape)), Operand(x, walk)
    )


def permute(x: Tensor, axes: Sequence[int], *, out: Tensor | None = None) -> Tensor:
    """Axes in another order, counted without the batch: x [batch, *shape] -> [batch, *permuted].

    ValueError unless axes are a permutation, and for what `check` refuses.
    """
    check(x=x)
    if sorted(axes) != list(range(x.ndim - 1)):
        raise ValueError(f"axes={tuple(axes)} must be a permutation of the {x.ndim - 1} axes")
    moved = [axis + 1 for axis in axes]
    out = output(out, (x.shape[0], *(x.shape[axis] for axis in moved)), x)
    for launch in permute_launches(x, moved, out):
        launch.run()
    return out


def take_launches(
    x: Tensor, begin: Sequence[int], step: Sequence[int], out: Tensor
) -> tuple[Launch, ...]:
    """Launches of elements begin + step * i of every axis but the batch, for checked tensors."""
    strides = dense(x.shape)
    walk = (strides[0], *(stride * hop for stride, hop in zip(strides[1:], step, strict=True)))
    base = sum(stride * first for stride, first in zip(strides[1:], begin, strict=True))
    return map_launches(
        "move_take", out.shape[1:], Operand(out, dense(out.shape)), Operand(x, walk, base)
    )


def take(
    x: Tensor,
    begin: Sequence[int],
    sizes: Sequence[int],
    step: Sequence[int],
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Elements begin + step * i, i in 0 .. size - 1, of every axis but the batch: a slice.

    ValueError for a step of 0, elements that are not there, and what `check` refuses.
    """
    check(x=x)
    shape = tuple(x.shape[1:])
    if not len(begin) == len(sizes) == len(step) == len(shape):
        raise ValueError(
            f"begin={tuple(begin)}, sizes={tuple(sizes)} and step={tuple(step)} must be "
            f"{len(shape)} numbers each"
        )
    for limit, first, size, hop in zip(shape, begin, sizes, step, strict=True):
        last = first + hop * (size - 1)
        if hop == 0 or size < 0 or (size and not (0 <= first < limit and 0 <= last < limit)):
            raise ValueError(f"begin={first}, size={size}, step={hop} do not fit size {limit}")
    out = output(out, (x.shape[0], *sizes), x)
    for launch in take_launches(x, begin, step, out):
        launch.run()
    return out


def concat_launches(values: Sequence[Tensor], axis: int, out: Tensor) -> tuple[Launch, ...]:
    """Launches of a concatenation of checked tensors; axis counts the batch as 0."""
    strides, place = dense(out.shape), 0
    launches: list[Launch] = []
    for value in values:
        target = Operand(out, strides, place * strides[axis])
        launches += map_launches(
            "move_concat", value.shape[1:], target, Operand(value, dense(value.shape))
        )
        place += value.shape[axis]
    return tuple(launches)


def concat(values: Sequence[Tensor], axis: int = -1, *, out: Tensor | None = None) -> Tensor:
    """Values one after the other along an axis, counted without the batch; -1 is channels.

    ValueError if other axes or types differ, or the axis is not there, and as `check`.
    """
    check(**{f"values[{i}]": value for i, value in enumerate(values)})
    if not values:
        raise ValueError("values [] must be at least one tensor")
    shapes, first = [tuple(value.shape) for value in values], values[0]
    if not -first.ndim < axis < first.ndim - 1:
        raise ValueError(f"axis={axis} is not an axis of {shapes[0]} (counted without the batch)")
    axis = axis + 1 if axis >= 0 else axis + first.ndim
    others = {shape[:axis] + shape[axis + 1 :] for shape in shapes}
    if len(others) > 1 or len({value.dtype for value in values}) > 1:
        raise ValueError(
            f"shapes {shapes} of types {[str(value.dtype) for value in values]} must agree but for "
            f"axis {axis - 1}"
        )
    shape = list(shapes[0])
    shape[axis] = sum(other[axis] for other in shapes)
    out = output(out, shape, *values)
    for launch in concat_launches(values, axis, out):
        launch.run()
    return out


def upsample_launches(x: Tensor, scales: Sequence[int], out: Tensor) -> tuple[Launch, ...]:
    """Launches of nearest upsampling for checked tensors."""
    batch, *spatial, channels = x.shape
    strides = dense(x.shape)
    sizes, walk = [], [strides[0]]
    for size, scale, stride in zip(spatial, scales, strides[1:-1], strict=True):
        sizes += [size, scale]
        walk += [stride, 0]
    sizes.append(channels)
    target = Operand(out, dense((batch, *sizes)))
    return map_launches("move_upsample", sizes, target, Operand(x, (*walk, 1)))


def upsample(x: Tensor, scales: Sequence[int], *, out: Tensor | None = None) -> Tensor:
    """Nearest neighbour: x [batch, *spatial, channels], each position repeated scales[axis] times.

    ValueError unless there is one scale of at least 1 an axis, and as `check`.
    """
    check(x=x)
    if len(scales) != x.ndim - 2 or any(scale < 1 for scale in scales):
        raise ValueError(f"scales={tuple(scales)} must be {x.ndim - 2} numbers of at least 1")
    sizes = [size * scale for size, scale in zip(x.shape[1:-1], scales, strict=True)]
    out = output(out, (x.shape[0], *sizes, x.shape[-1]), x)
    for launch in upsample_launches(x, scales, out):
        launch.run()
    return out


def depth_to_space_launches(
    x: Tensor, block: Sequence[int], channels_first: bool, out: Tensor
) -> tuple[Launch, ...]:
    """Launches of channels moved to positions for checked tensors."""
    batch, *spatial, depth = x.shape
    rest = depth // math.prod(block)
    split = (batch, *spatial, rest, *block) if channels_first else (batch, *spatial, *block, rest)
    strides, rank = dense(split), len(spatial)
    places = strides[rank + 2 :] if channels_first else strides[rank + 1 : -1]
    sizes, walk = [], [strides[0]]
    for axis, (size, step) in enumerate(zip(spatial, block, strict=True)):
        sizes += [size, step]
        walk += [strides[1 + axis], places[axis]]
    sizes.append(rest)
    walk.append(strides[rank + 1] if channels_first else 1)
    target = Operand(out, dense((batch, *sizes)))
    return map_launches("move_depth_to_space", sizes, target, Operand(x, tuple(walk)))


def depth_to_space(
    x: Tensor, block: Sequence[int], channels_first: bool = False, *, out: Tensor | None = None
) -> Tensor:
    """x [batch, *spatial, channels] -> [batch, *spatial * block, channels / places].

    A channel is (*place in the block, output channel), or with channels_first the other way round
    (PyTorch's pixel_shuffle). ValueError unless the block divides the channels, and as `check`.
    """
    check(x=x)
    places = math.prod(block)
    if len(block) != x.ndim - 2 or places < 1 or x.shape[-1] % places:
        raise ValueError(f"block={tuple(block)} does not fit x {tuple(x.shape)}")
    sizes = [size * step for size, step in zip(x.shape[1:-1], block, strict=True)]
    out = output(out, (x.shape[0], *sizes, x.shape[-1] // places), x)
    for launch in depth_to_space_launches(x, block, channels_first, out):
        launch.run()
    return out
