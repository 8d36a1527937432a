"""Labels by index, name, list, at random; and every way to get them wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.core.errors import OptionError
from engine.labels import plan_labels
from engine.latents import random_labels

NAMES = ("cat", "dog", "7")


def made(labels: Any, n: int = 3, start: int = 5) -> list[int]:
    plan = plan_labels(labels, NAMES, n, 1, start, "m")
    assert plan is not None
    return plan.batch(start, n).tolist()


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (1, [1, 1, 1]),
        ("dog", [1, 1, 1]),
        ("7", [2, 2, 2]),
        ("0", [0, 0, 0]),
        (np.int32(2), [2, 2, 2]),
        ([0, "dog", 2], [0, 1, 2]),
        (np.array([2, 1, 0]), [2, 1, 0]),
    ],
    ids=["index", "name", "name that is a number", "number as text", "numpy", "list", "array"],
)
def test_given(labels: Any, expected: list[int]) -> None:
    assert made(labels) == expected


@pytest.mark.parametrize("labels", [None, "random"])
def test_random(labels: Any) -> None:
    assert made(labels, n=40) == random_labels(3, 1, 5, 40).tolist()


def test_padding_rows_get_class_zero() -> None:
    plan = plan_labels([2, 2], NAMES, 2, 0, 5, "m")
    assert plan is not None
    assert plan.batch(4, 4).tolist() == [0, 2, 2, 0]


def test_rows_of_a_range_get_their_own_classes() -> None:
    plan = plan_labels([2, 0, 1], NAMES, 3, 0, 5, "m")
    assert plan is not None
    assert [plan.batch(5, 3).tolist(), plan.batch(6, 2).tolist()] == [[2, 0, 1], [0, 1]]
    assert [plan.batch(4, 2).tolist(), plan.batch(7, 2).tolist()] == [[0, 2], [1, 0]]


def test_unconditional_has_no_plan() -> None:
    assert plan_labels(None, (), 3, 0, 0, "m") is None


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (3, "label 3 is out of range"),
        (-1, "label -1 is out of range"),
        ("dgo", "did you mean 'dog'"),
        ("zebra", "known are cat, dog, 7"),
        ([0, 1], "2 labels were given for n=3 samples; give 3"),
        (np.array([0, 1, 3]), "label 3 is out of range"),
        ([0, 1.5, 2], r"label 1\.5"),
        (True, None),
        (np.zeros((3, 1), int), "one dimension"),
    ],
)
def test_refused(labels: Any, message: str | None) -> None:
    with pytest.raises(OptionError, match=message):
        made(labels)


def test_labels_for_an_unconditional_model() -> None:
    with pytest.raises(OptionError, match="'m' is an unconditional model"):
        plan_labels("cat", (), 3, 0, 0, "m")
