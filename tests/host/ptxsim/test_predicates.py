from __future__ import annotations

import numpy as np
import pytest

A = np.float32([1, 2, 3, np.nan, 1])
B = np.float32([2, 2, 1, 1, np.nan])
I = np.int32([-1, 0, 5, 7, -9])  # noqa: E741
J = np.int32([1, 0, -5, 7, -10])


def picked(compute, condition: str, a: np.ndarray, b: np.ndarray) -> list[bool]:
    body = f"{condition}; selp.b32 %r9, 1, 0, %p1;"
    return compute(body, a, b)[: len(a)].astype(bool).tolist()


@pytest.mark.parametrize(
    ("compare", "expected"),
    [
        ("lt", A < B),
        ("geu", [False, True, True, True, True]),
        ("neu", A != B),
        ("ne", [True, False, True, False, False]),
        ("equ", [False, True, False, True, True]),
        ("num", [True, True, True, False, False]),
        ("nan", [False, False, False, True, True]),
    ],
)
def test_floats(compute, compare: str, expected: np.ndarray) -> None:
    assert picked(compute, f"setp.{compare}.f32 %p1, %r1, %r2", A, B) == list(expected)


@pytest.mark.parametrize(
    ("compare", "expected"),
    [
        ("lt.s32", I < J),
        ("lt.u32", I.view(np.uint32) < J.view(np.uint32)),
        ("hi.u32", I.view(np.uint32) > J.view(np.uint32)),
        ("eq.b32", I == J),
    ],
)
def test_integers(compute, compare: str, expected: np.ndarray) -> None:
    assert picked(compute, f"setp.{compare} %p1, %r1, %r2", I, J) == expected.tolist()


def test_combined_and_second_result(compute) -> None:
    first = "setp.lt.s32 %p2, %r1, 0; setp.lt.and.s32 %p1|%p3, %r1, %r2, %p2"
    assert picked(compute, first, I, J) == ((I < J) & (I < 0)).tolist()
    second = "setp.lt.s32 %p2, %r1, 0; setp.lt.and.s32 %p3|%p1, %r1, %r2, %p2"
    assert picked(compute, second, I, J) == (~(I < J) & (I < 0)).tolist()


@pytest.mark.parametrize("kind", ["f16x2", "bf16x2"])
@pytest.mark.parametrize(
    ("compare", "expected"),
    [
        ("lt", [[True, False], [False, False], [False, False], [True, False]]),
        ("geu", [[False, True], [True, True], [True, True], [False, True]]),
        ("nan", [[False, False], [False, True], [True, False], [False, False]]),
    ],
)
def test_each_half_has_its_predicate(
    compute, kind: str, compare: str, expected: list[list[bool]]
) -> None:
    """The first predicate is that of the low half; a third is combined with both."""
    a = np.float32([[1, 2], [3, np.nan], [np.nan, 0], [-2, -1]])
    b = np.float32([[2, 1], [3, 1], [1, 0], [2, -1]])
    if kind == "f16x2":
        words = [half.astype(np.float16).view(np.uint32)[:, 0] for half in (a, b)]
    else:
        # These numbers are exact in the upper half of their float32.
        words = [(x.view(np.uint32) >> 16).astype(np.uint16).view(np.uint32)[:, 0] for x in (a, b)]
    for half, pair in enumerate(("%p1|%p2", "%p2|%p1")):
        wanted = [row[half] for row in expected]
        assert picked(compute, f"setp.{compare}.{kind} {pair}, %r1, %r2", *words) == wanted
        no = f"setp.ne.b32 %p3, %r1, %r1; setp.{compare}.and.{kind} {pair}, %r1, %r2, %p3"
        assert picked(compute, no, *words) == [False] * 4


def test_logic_of_predicates(compute) -> None:
    condition = (
        "setp.lt.s32 %p2, %r1, 0; setp.lt.s32 %p3, %r2, 0; "
        "xor.pred %p4, %p2, %p3; not.pred %p1, %p4"
    )
    assert picked(compute, condition, I, J) == ((I < 0) == (J < 0)).tolist()


def test_guards(compute) -> None:
    body = (
        "setp.lt.s32 %p1, %r1, 0; mov.b32 %r9, 5; @%p1 mov.b32 %r9, 6; @!%p1 add.s32 %r9, %r9, 2;"
    )
    assert compute(body, I)[:5].tolist() == [6, 7, 7, 7, 6]
