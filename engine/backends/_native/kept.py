"""What was measured, kept as one small JSON file per processor, model and way to run it.

Files are written in one step, so that several writers leave one that is whole; one that cannot be
read, or is of something else, is as good as none.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from engine.backends._native.choices import Choices
from engine.core.cache import cache_folder
from engine.core.files import write_text
from engine.core.version import __version__
from kernels.native.library import INTERFACE_VERSION

_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """What measuring chose, and a line for each thing that it tried."""

    capacity: int
    bands: bool
    algorithms: Mapping[str, int]
    measured: tuple[str, ...]

    @classmethod
    def of(cls, choices: Choices) -> Found:
        """What choices hold of it."""
        algorithms = dict(choices.algorithms)
        return cls(choices.capacity, choices.bands, algorithms, choices.measured)

    def applied(self, choices: Choices, decided_by: str) -> Choices:
        """Choices with it."""
        return replace(
            choices,
            capacity=self.capacity,
            bands=self.bands,
            algorithms=self.algorithms,
            measured=self.measured,
            decided_by=decided_by,
        )


def key(digest: str, choices: Choices, batch_size: int) -> dict[str, Any]:
    """All that a measurement is true of; digest: of the artifact, choices: the defaults."""
    return {
        "artifact": digest,
        "version": __version__,
        "interface": INTERFACE_VERSION,
        "processor": _processor(),
        "instruction_set": choices.instruction_set,
        "bf16": choices.bf16,
        "batch_size": batch_size,
        "threads": choices.threads,
        "cache_bytes": choices.cache_bytes,
        "default": [choices.capacity, choices.bands],
    }


def file_of(folder: Path | None, of: Mapping[str, Any]) -> Path:
    """Where the file of a key lies; without a folder, in the user's cache."""
    return (folder or cache_folder("native")) / f"{_digest(of)[:32]}.json"


def write(file: Path, of: Mapping[str, Any], found: Found) -> None:
    """Write in one step. Raises OutputError."""
    values = {"key": of, "found": asdict(found)}
    write_text(file, json.dumps({**values, "sha256": _digest(values)}, indent=1) + "\n")


def read(file: Path, of: Mapping[str, Any]) -> Found | None:
    """What the file of this key says, None if there is none or a byte of it is not as written."""
    try:
        with file.open("rb") as opened:
            values = json.loads(opened.read(_MOST_BYTES))
        digest = values.pop("sha256")
        if values["key"] != of or _digest(values) != digest:
            return None
        found = Found(**values["found"])
        return replace(found, measured=tuple(found.measured))
    # Brackets that are never closed end in the last of these.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _digest(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("model name")), "")
