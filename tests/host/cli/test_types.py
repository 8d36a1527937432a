from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
import pytest

from engine.cli import types


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (types.backend, "auto", "auto"),
        (types.grid, "8X4", (8, 4)),
        (types.shape, "80, 20", (80, 20)),
        (types.value_range, "-1:1", (-1.0, 1.0)),
        (types.value_range, "0:255", (0.0, 255.0)),
        (types.json_object, '{"width": [1]}', {"width": [1]}),
        (types.sample, "7", (None, 7)),
        (types.sample, "42:7", (42, 7)),
    ],
    ids=["backend", "grid", "shape", "range", "byte range", "json", "index", "seed and index"],
)
def test_values(read: Callable[[str], Any], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (types.backend, "pytorch"),
        (types.grid, "0x4"),
        (types.grid, "4"),
        (types.shape, "80,"),
        (types.shape, "0"),
        (types.value_range, "1"),
        (types.value_range, "0:nan"),
        (types.value_range, "1:1"),
        (types.json_object, "[1]"),
        (types.sample, "-1"),
        (types.sample, ":3"),
    ],
)
def test_what_cannot_be_read_is_quoted(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        read(text)
    assert repr(text) in caught.value.message
