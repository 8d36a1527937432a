"""The metrics file: one JSON line a step, cut back to the resumed step after a kill."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.core.errors import OutputError
from engine.core.files import write_text


class MetricsFile:
    """Appends lines to `path`; lines of steps from `first_step` on are dropped at the start."""

    def __init__(self, path: Path, first_step: int) -> None:
        self.path = path
        try:
            kept = _lines_before(path, first_step) if first_step and path.exists() else []
            write_text(path, "".join(kept))
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}") from error

    def write(self, values: Mapping[str, Any]) -> None:
        """Append one step's values. Raises OutputError when the disk is full."""
        try:
            self._file.write(json.dumps(values) + "\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"cannot write {self.path}: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
        except OSError as full:
            # What cannot be written now has already failed in `write`, if that was the end.
            if error is None:
                raise OutputError(f"cannot write {self.path}: {full.strerror}") from full


def _lines_before(path: Path, first_step: int) -> list[str]:
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            step = json.loads(line)["step"]
        except (ValueError, KeyError):
            # The line that a kill cut short.
            continue
        if step < first_step:
            kept.append(line)
    return kept
