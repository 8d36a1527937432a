"""Shapes and the model's numbers as the integers that native kinds take."""

from __future__ import annotations

from engine.program.graph import Floats, Shape


def described(shape: Shape) -> tuple[int, ...]:
    """A rank and that many sizes; a number without axes is one channel."""
    return (len(shape), *shape) if shape else (1, 1)


def aligned(array: Floats | None, shape: Shape) -> tuple[int, ...]:
    """Sizes of an array that repeats to a shape, with leading ones; ones where there is none."""
    sizes = () if array is None else array.shape
    return (*(1,) * (max(1, len(shape)) - len(sizes)), *sizes)


def by_channel(array: Floats | None, shape: Shape) -> bool:
    """Whether an array holds at most one number a channel."""
    return array is None or aligned(array, shape) == (*(1,) * (len(shape) - 1), shape[-1])
