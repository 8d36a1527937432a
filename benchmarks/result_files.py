"""Results as versioned JSON, compact enough to be committed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args

from benchmarks.results import Case, Results
from engine.core.errors import ArtifactError
from engine.core.files import write_text
from engine.core.records import ArrayTable, decode_record, encode_record, field_types

FORMAT = "generator-engine benchmarks"
VERSION = 1

# Noise is a hundred times as large, and short numbers keep committed results small.
_DIGITS = 4


def case_json(case: Case) -> dict[str, Any]:
    """A case as JSON, for pytest-benchmark's `extra_info`."""
    record: dict[str, Any] = _short(encode_record(case, ArrayTable()))
    return record


def write(path: str | Path, results: Results) -> None:
    """Write results as JSON, one contestant a line, floats to 4 digits. Raises OutputError."""
    write_text(path, dumps(results))


def dumps(results: Results) -> str:
    """Results as JSON, short enough to be committed."""
    head = {"format": FORMAT, "version": VERSION}
    head |= {
        name: _short(encode_record(getattr(results, name), ArrayTable()))
        for name in ("machine", "run")
    }
    lines = json.dumps(head, ensure_ascii=False)[:-1] + ',\n"cases": [\n'
    return lines + ",\n".join(_case_lines(case) for case in results.cases) + "\n]}\n"


def read(path: str | Path) -> Results:
    """Results from a file. Raises ArtifactError where it is missing or not of this format."""
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise ArtifactError(f"{path} is not JSON: {error}") from error
    if not isinstance(record, dict) or record.pop("format", None) != FORMAT:
        raise ArtifactError(f"{path} is not a result of benchmarks/; measure one first")
    version = record.pop("version", None)
    if version != VERSION:
        raise ArtifactError(f"{path} is of version {version}, this code reads {VERSION}")
    try:
        results: Results = decode_record(record, Results, ())
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}") from error
    return results


def _case_lines(case: Case) -> str:
    record = _without_defaults(case_json(case), Case)
    contestants = record.pop("contestants", ())
    text = json.dumps(record, ensure_ascii=False)[:-1]
    if not contestants:
        return text + "}"
    rows = [json.dumps(row, ensure_ascii=False) for row in contestants]
    return text + ', "contestants": [\n ' + ",\n ".join(rows) + "]}"


def _without_defaults(record: dict[str, Any], kind: Any) -> dict[str, Any]:
    """A record's JSON without the fields that reading fills in again, also in records inside."""
    kept = {}
    for item in dataclasses.fields(kind):
        value = record[item.name]
        default = list(item.default) if isinstance(item.default, tuple) else item.default
        if value != default:
            kept[item.name] = _inside(value, field_types(kind)[item.name])
    return kept


def _inside(value: Any, hint: Any) -> Any:
    if dataclasses.is_dataclass(hint):
        return _without_defaults(value, hint)
    parts = [part for part in get_args(hint) if dataclasses.is_dataclass(part)]
    if not parts:
        return value
    if isinstance(value, list):
        return [_without_defaults(item, parts[0]) for item in value]
    return _without_defaults(value, parts[0])


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {name: _short(part) for name, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, list) else value
