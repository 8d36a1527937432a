from __future__ import annotations

import numpy as np
import pytest

from kernels.ptxsim import SimulationError

A = (np.arange(32, dtype=np.uint64) * 2654435761 % 2**32).astype(np.uint32)
LANE = np.arange(32)


@pytest.mark.parametrize(
    ("mode", "source"),
    [
        ("bfly.b32 %r9, %r1, 5, 31", LANE ^ 5),
        ("idx.b32 %r9, %r1, 3, 31", np.full(32, 3)),
        ("idx.b32 %r9, %r1, 3, 0x181f", LANE // 8 * 8 + 3),
        ("up.b32 %r9, %r1, 2, 0", np.where(LANE < 2, LANE, LANE - 2)),
        ("down.b32 %r9, %r1, 4, 31", np.where(LANE > 27, LANE, LANE + 4)),
    ],
)
def test_shuffle(compute, mode: str, source: np.ndarray) -> None:
    np.testing.assert_array_equal(compute(f"shfl.sync.{mode}, -1;", A), A[source])


def test_shuffle_tells_whether_the_lane_was_inside(compute) -> None:
    body = "shfl.sync.down.b32 %r9|%p1, %r1, 4, 31, -1; selp.b32 %r9, 1, 0, %p1;"
    np.testing.assert_array_equal(compute(body, A), LANE < 28)


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("add.s32", A.sum(dtype=np.uint32)),
        ("max.u32", A.max()),
        ("min.s32", A.view(np.int32).min()),
        ("xor.b32", np.bitwise_xor.reduce(A)),
    ],
)
def test_reduction(compute, operation: str, expected: np.generic) -> None:
    out = compute(f"redux.sync.{operation} %r9, %r1, 0xffffffff;", A)
    np.testing.assert_array_equal(out, np.full(32, int(expected) & 0xFFFFFFFF))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("ballot.b32 %r9, %p1", int((A < 2**31).astype(object) @ (1 << LANE.astype(object)))),
        ("any.pred %p2, %p1", 1),
        ("all.pred %p2, %p1", 0),
        ("any.pred %p2, !%p1", 1),
    ],
)
def test_vote(compute, mode: str, expected: int) -> None:
    body = f"setp.ge.s32 %p1, %r1, 0; vote.sync.{mode}, 0xffffffff;"
    body += "" if "%r9" in mode else "selp.b32 %r9, 1, 0, %p2;"
    np.testing.assert_array_equal(compute(body, A), np.full(32, expected))


def test_elect(compute) -> None:
    out = compute("elect.sync %r8|%p1, -1; selp.b32 %r9, 1, 0, %p1;", A)
    np.testing.assert_array_equal(out, LANE == 0)


def test_part_of_a_warp(compute) -> None:
    with pytest.raises(SimulationError, match="only some of its lanes"):
        compute("setp.lt.u32 %p1, %r0, 7; @%p1 shfl.sync.idx.b32 %r9, %r1, 0, 31, -1;", A)
