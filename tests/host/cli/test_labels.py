from __future__ import annotations

import numpy as np
import pytest

from engine.cli.labels import LabelChoice, parse_labels
from engine.core.errors import OptionError

PETS = ("cat", "dog", "bird")


@pytest.mark.parametrize(
    ("text", "names", "value"),
    [
        (None, (), None),
        (None, PETS, "random"),
        ("random", PETS, "random"),
        ("dog", PETS, 1),
        ("1", ("1", "0"), 0),
        ("dog, 0,bird", PETS, (1, 0, 2)),
        ("a,b", ("x", "a,b"), 1),
    ],
    ids=["none", "default", "random", "name", "name of digits", "one each", "comma in a name"],
)
def test_the_text_is_read_against_the_classes(
    text: str | None, names: tuple[str, ...], value: object
) -> None:
    assert parse_labels(text, names, 3) == LabelChoice(value, len(names))


def test_a_part_of_the_samples_gets_its_own_labels() -> None:
    part = range(12, 14)
    assert np.array_equal(LabelChoice((5, 6, 7, 8), 9).of(part, 11), [6, 7])
    assert np.array_equal(LabelChoice("cycle", 5).of(part, 11), [2, 3])
    assert LabelChoice("random", 5).of(part, 11) == "random"
    assert LabelChoice(None, 0).of(part, 11) is None


@pytest.mark.parametrize("text", ["random", "cycle", "cat"])
def test_an_unconditional_model_takes_none(text: str) -> None:
    with pytest.raises(OptionError, match="unconditional"):
        parse_labels(text, (), 3)
