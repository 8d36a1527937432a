"""Frozen dataclasses <-> JSON, driven by their annotations, with arrays kept apart.

Specs, and the operations of a `.gen` file. A record that is added needs nothing here, as long as
its fields are made of strings, numbers, literals, tuples, mappings, arrays, optional values and
dataclasses of these.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping, Sequence
from reprlib import repr as brief
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ArtifactError

Floats = NDArray[np.float32]
# What JSON has no number for.
_INFINITIES = {"inf": math.inf, "-inf": -math.inf}


class ArrayTable:
    """Arrays in the order in which records name them; one that is named twice is kept once."""

    def __init__(self) -> None:
        self.arrays: list[Floats] = []
        self._numbers: dict[int, int] = {}

    def number(self, array: Floats) -> int:
        """The array's place in the table, where it is put if it is new."""
        if id(array) not in self._numbers:
            self._numbers[id(array)] = len(self.arrays)
            self.arrays.append(array)
        return self._numbers[id(array)]


@functools.cache
def field_types(record: Any) -> dict[str, Any]:
    """Field names of a dataclass with their resolved types, in order."""
    hints = typing.get_type_hints(record)
    return {item.name: hints[item.name] for item in dataclasses.fields(record)}


def encode(value: Any, hint: Any, table: ArrayTable) -> Any:
    """A field's value as JSON. Raises TypeError for a type that has no form here."""
    origin, options = get_origin(hint), get_args(hint)
    if origin is np.ndarray:
        return table.number(value)
    if origin in (types.UnionType, Union):
        return None if value is None else encode(value, _only(hint), table)
    if origin is tuple:
        hints = _element_hints(options, len(value))
        return [encode(item, part, table) for item, part in zip(value, hints, strict=True)]
    if dataclasses.is_dataclass(hint):
        return encode_record(value, table)
    if hint is float:
        return float(value) if math.isfinite(value) else str(float(value))
    if hint is int:
        return int(value)
    if origin is Literal or hint in (str, bool):
        return value
    raise TypeError(f"a field of type {hint} has no form in JSON")


def encode_record(record: Any, table: ArrayTable) -> dict[str, Any]:
    """All fields of a dataclass as JSON."""
    kind: Any = type(record)
    hints = field_types(kind)
    return {name: encode(getattr(record, name), hint, table) for name, hint in hints.items()}


def decode(value: Any, hint: Any, arrays: Sequence[Floats]) -> Any:
    """A field's value from JSON. Raises ArtifactError for a value of another type."""
    origin, options = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        return None if value is None else decode(value, _only(hint), arrays)
    if origin is np.ndarray and type(value) is int and 0 <= value < len(arrays):
        return arrays[value]
    if origin is tuple and isinstance(value, (list, tuple)):
        if options[-1] is not ... and len(options) != len(value):
            raise ArtifactError(f"{brief(value)} must have {len(options)} elements")
        hints = _element_hints(options, len(value))
        return tuple(decode(item, part, arrays) for item, part in zip(value, hints, strict=True))
    if origin is Mapping and isinstance(value, dict):
        return {str(key): decode(item, options[1], arrays) for key, item in value.items()}
    if origin is Literal:
        if value not in options:
            raise ArtifactError(f"{brief(value)} is unknown; known are {', '.join(options)}")
        return value
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return decode_record(value, hint, arrays)
    if hint is float:
        return _float(value)
    if hint in (int, str, bool) and type(value) is hint:
        return value
    kind = hint.__name__ if origin is None else hint
    raise ArtifactError(f"{brief(value)} is not of the type {kind}")


def decode_record(value: Any, record: Any, arrays: Sequence[Floats]) -> Any:
    """A dataclass from JSON. Fields that are left out take their defaults.

    Raises ArtifactError for unknown or missing fields, and for values that the class refuses.
    """
    hints = field_types(record)
    kind = record.__name__.lower()
    if not isinstance(value, dict):
        raise ArtifactError(f"{kind} must be a JSON object, not {brief(value)}")
    unknown = ", ".join(repr(name) for name in value if name not in hints)
    if unknown:
        raise ArtifactError(
            f"{kind} has {', '.join(hints)}, and no {unknown}; it may be of a newer version of "
            "this package"
        )
    for item in dataclasses.fields(record):
        if item.name not in value and _required(item):
            raise ArtifactError(f"{kind} lacks the field {item.name!r}")
    fields: dict[str, Any] = {}
    for name, part in value.items():
        try:
            fields[name] = decode(part, hints[name], arrays)
        except ArtifactError as error:
            raise ArtifactError(f"{name}: {error}") from error
    try:
        return record(**fields)
    except (TypeError, ValueError) as error:
        raise ArtifactError(f"{kind}: {error}") from error


def _required(item: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return item.init and item.default is missing and item.default_factory is missing


def _float(value: Any) -> float:
    if type(value) in (int, float) and abs(value) <= np.finfo(np.float64).max:
        return float(value)
    if isinstance(value, str) and value in _INFINITIES:
        return _INFINITIES[value]
    raise ArtifactError(f"{brief(value)} is no number")


def _only(hint: Any) -> Any:
    """X of X | None."""
    (hint,) = (option for option in get_args(hint) if option is not types.NoneType)
    return hint


def _element_hints(options: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    return (options[0],) * count if options[-1] is ... else options
