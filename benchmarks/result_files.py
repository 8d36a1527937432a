"""Results as versioned JSON, compact enough to be committed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.results import Case, Contestant, Results
from engine.core.errors import ArtifactError
from engine.core.files import write_text
from engine.core.records import ArrayTable, decode_record, encode_record

FORMAT = "generator-engine benchmarks"
VERSION = 1

# Timers resolve less than that, and short numbers keep committed results small.
_DIGITS = 5


def case_json(case: Case) -> dict[str, Any]:
    """A case as JSON, for pytest-benchmark's `extra_info`."""
    record: dict[str, Any] = _short(encode_record(case, ArrayTable()))
    return record


def write(path: str | Path, results: Results) -> None:
    """Write results as JSON, one contestant a line, floats to 5 digits. Raises OutputError."""
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
    record = case_json(case)
    contestants = record.pop("contestants")
    text = json.dumps(_without_defaults(record, Case), ensure_ascii=False)[:-1]
    if not contestants:
        return text + "}"
    rows = [
        json.dumps(_without_defaults(row, Contestant), ensure_ascii=False) for row in contestants
    ]
    return text + ', "contestants": [\n ' + ",\n ".join(rows) + "]}"


def _without_defaults(record: dict[str, Any], kind: type) -> dict[str, Any]:
    """Without the fields that reading fills in again."""
    defaults = {name: getattr(kind, name, ...) for name in record}
    return {
        name: value
        for name, value in record.items()
        if value != (list(default) if isinstance(default := defaults[name], tuple) else default)
    }


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {name: _short(part) for name, part in value.items()}
    return [_short(part) for part in value] if isinstance(value, list) else value
