"""How a kernel walks over a tensor: axes merged where memory allows, batches cut where it must."""

from __future__ import annotations

from collections.abc import Sequence

from kernels.launch import LARGEST_OFFSET

# The most axes, with the batch, that a kernel walks over once neighbours are merged.
MOST_AXES = 6
# Rows of any type and width that end at a multiple of 16 bytes.
_ALIGNED_ROWS = 16


def merged(
    sizes: Sequence[int], strides: Sequence[Sequence[int]]
) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """Drop axes of size 1 and merge neighbours that are one run in every tensor.

    sizes [axes] leave the batch out; strides are one [axes] a tensor, 0 where it repeats. Gives
    the same for fewer axes: at least one, and at most MOST_AXES - 1. ValueError if it takes more.
    """
    kept: list[tuple[int, tuple[int, ...]]] = []
    for size, *steps in zip(sizes, *strides, strict=True):
        if size == 1:
            continue
        if kept and all(
            before == size * step for before, step in zip(kept[-1][1], steps, strict=True)
        ):
            kept[-1] = (kept[-1][0] * size, tuple(steps))
        else:
            kept.append((size, tuple(steps)))
    if not kept:
        kept.append((1, (1,) * len(strides)))
    if len(kept) >= MOST_AXES:
        raise ValueError(
            f"shape {tuple(sizes)} has {len(kept)} axes that cannot be merged; "
            f"kernels walk over {MOST_AXES - 1}"
        )
    merged_sizes, merged_steps = zip(*kept, strict=True)
    return tuple(merged_sizes), tuple(zip(*merged_steps, strict=True))


def dense(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of a contiguous tensor, in elements."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def broadcast(shape: Sequence[int], target: Sequence[int]) -> tuple[int, ...]:
    """Strides that walk a contiguous tensor over a target shape, by numpy's rule.

    ValueError if it does not broadcast to the target.
    """
    shape = tuple(shape)
    if len(shape) > len(target) or any(
        i not in (1, j)
        for i, j in zip(shape, tuple(target)[len(target) - len(shape) :], strict=True)
    ):
        raise ValueError(f"shape {shape} does not broadcast to {tuple(target)}")
    steps = (0 if size == 1 else step for size, step in zip(shape, dense(shape), strict=True))
    return (0,) * (len(target) - len(shape)) + tuple(steps)


def batch_ranges(batch: int, *widths: int) -> tuple[tuple[int, int], ...]:
    """Ranges of samples whose tensors stay below 2^31 elements and begin at aligned addresses.

    widths are elements of a sample, one a tensor. No ranges for an empty batch. ValueError if 16
    samples are too many already and the batch has more than fit.
    """
    widest = max(1, *widths)
    if batch * widest <= LARGEST_OFFSET:
        return ((0, batch),) if batch else ()
    rows = LARGEST_OFFSET // widest // _ALIGNED_ROWS * _ALIGNED_ROWS
    if rows == 0:
        raise ValueError(
            f"{widest} elements a sample are too many: {_ALIGNED_ROWS} samples must stay below "
            f"2^31 elements"
        )
    return tuple((first, min(batch, first + rows)) for first in range(0, batch, rows))


def warps_for(elements: int) -> int:
    """Warps for a tile that is reduced: 8 elements or more a thread, from 1 to 8 warps.

    Fewer warps than fit leave less to exchange through shared memory.
    """
    return max(1, min(8, 1 << max(0, (elements // 256).bit_length() - 1)))
