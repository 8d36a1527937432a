"""How kernels walk over tensors: merged axes, repeated axes, batches cut in two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.launch import LARGEST_OFFSET
from kernels.pointwise.walk import batch_ranges, broadcast, dense, merged, warps_for


def offsets(sizes: tuple[int, ...], strides: tuple[int, ...]) -> list[int]:
    """Offsets in the order of the index."""
    return [sum(i * s for i, s in zip(index, strides, strict=True)) for index in np.ndindex(*sizes)]


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 3), min_size=1, max_size=5),
    order=st.permutations(range(5)),
    repeated=st.sets(st.integers(0, 4)),
)
def test_merging_changes_no_offset(sizes: list[int], order: list[int], repeated: set[int]) -> None:
    axes = [axis for axis in order if axis < len(sizes)]
    inner = dense([sizes[axis] for axis in axes])
    permuted = [0] * len(sizes)
    for axis, stride in zip(axes, inner, strict=True):
        permuted[axis] = 0 if axis in repeated else stride
    short, steps = merged(sizes, [dense(sizes), permuted])
    assert offsets(short, steps[0]) == offsets(tuple(sizes), dense(sizes))
    assert offsets(short, steps[1]) == offsets(tuple(sizes), tuple(permuted))


def test_dense_tensors_become_one_run() -> None:
    assert merged((3, 1, 5, 8), [dense((3, 1, 5, 8))] * 2) == ((120,), ((1,), (1,)))
    assert merged((1, 1), [(1, 1)]) == ((1,), ((1,),))


def test_too_many_axes_refused() -> None:
    sizes = (2,) * 6
    with pytest.raises(ValueError, match="has 6 axes that cannot be merged"):
        merged(sizes, [dense(sizes), tuple(reversed(dense(sizes)))])


def test_broadcast() -> None:
    assert broadcast((8,), (2, 5, 8)) == (0, 0, 1)
    assert broadcast((2, 1, 8), (2, 5, 8)) == (8, 0, 1)
    assert broadcast((), (2, 5)) == (0, 0)


@pytest.mark.parametrize("shape", [(5,), (2, 2, 5, 8), (2, 4, 8)], ids=str)
def test_broadcast_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="does not broadcast to"):
        broadcast(shape, (2, 5, 8))


def test_small_batches_are_not_cut() -> None:
    assert batch_ranges(0, 10) == ()
    assert batch_ranges(7, 10, 0) == ((0, 7),)
    assert batch_ranges(1, LARGEST_OFFSET) == ((0, 1),)


def test_large_batches_are_cut_at_aligned_rows() -> None:
    width = 3 * 2**20 + 1
    ranges = batch_ranges(3000, 5, width)
    assert [first for first, _ in ranges[1:]] == [last for _, last in ranges[:-1]]
    assert (ranges[0][0], ranges[-1][1]) == (0, 3000)
    assert all((last - first) * width <= LARGEST_OFFSET for first, last in ranges)
    assert all(first % 16 == 0 for first, _ in ranges)
    assert len(ranges) > 1


def test_samples_that_are_too_large_refused() -> None:
    with pytest.raises(ValueError, match="elements a sample are too many"):
        batch_ranges(16, 2**28)


@pytest.mark.parametrize(("elements", "warps"), [(1, 1), (256, 1), (512, 2), (2048, 8), (2**14, 8)])
def test_warps(elements: int, warps: int) -> None:
    assert warps_for(elements) == warps
