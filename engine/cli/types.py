"""Option values that are more than a number or a word: functions from text to value.

Each raises click.BadParameter with the text and an example.
"""

from __future__ import annotations

import json
import math
from typing import Any

import click

from engine.core.hints import nearest


def backend(text: str) -> str:
    """A backend's name, or 'auto'."""
    from engine import backends

    known = ("auto", *backends.names())
    if text not in known:
        raise click.BadParameter(f"unknown backend {text!r}; {nearest(text, known)}")
    return text


def grid(text: str) -> tuple[int, int]:
    """COLSxROWS, as (columns, rows)."""
    columns, _, rows = text.lower().partition("x")
    if not (columns.isdecimal() and rows.isdecimal() and int(columns) and int(rows)):
        raise click.BadParameter(f"{text!r} is not COLSxROWS, like 8x4")
    return int(columns), int(rows)


def shape(text: str) -> tuple[int, ...]:
    """A shape without the batch: 80,20."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise click.BadParameter(f"{text!r} is not a shape, like 80,20")
    return tuple(int(part) for part in parts)


def value_range(text: str) -> tuple[float, float]:
    """LOW:HIGH, as two finite, rising numbers."""
    try:
        low, high = (float(part) for part in text.split(":"))
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not LOW:HIGH, like -1:1") from error
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise click.BadParameter(f"{text!r} must be two finite, rising numbers, like -1:1")
    return low, high


def json_object(text: str) -> dict[str, Any]:
    """A JSON object, as a dict."""
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise click.BadParameter(f"{text!r} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise click.BadParameter(f"{text!r} is not a JSON object, like '{{\"width\": 32}}'")
    return values


def sample(text: str) -> tuple[int | None, int]:
    """A sample as INDEX of --seed or as SEED:INDEX: (seed or None, index)."""
    seed, colon, index = text.rpartition(":")
    if not index.isdecimal() or (colon and not seed.isdecimal()):
        raise click.BadParameter(f"{text!r} is no sample; give INDEX or SEED:INDEX, like 3 or 42:3")
    return (int(seed) if colon else None), int(index)
