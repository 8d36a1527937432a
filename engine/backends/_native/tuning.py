"""An optional short measurement that refines the choices, kept per processor and model.

Off unless the environment variable GENERATOR_TUNE is set. What was found is one small JSON file in
the user's cache folder, written in one step; one that cannot be read or is of something else is
measured again. Bits of samples do not depend on what is chosen here.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.backends._native.choices import Choices
from engine.backends._native.precision import probe_inputs
from engine.backends._native.session import Session
from engine.core.errors import OutputError
from engine.core.files import write_text
from engine.core.version import __version__
from engine.program.gen import Gen

VARIABLE = "GENERATOR_TUNE"
_CAPACITIES = (16, 32, 48, 64)
_ROUNDS = 5


def wanted() -> bool:
    """Whether the environment asks for it."""
    return os.environ.get(VARIABLE, "") not in ("", "0")


def tuned(gen: Gen, digest: str, choices: Choices, folder: Path | None = None) -> Choices:
    """The choices that were fastest here, measured now or before; those for few images as given.

    digest: hash of the artifact. folder: where results are kept instead of the user's cache.
    """
    if choices.few:
        return choices
    key = _key(digest, choices)
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    file = (folder or _folder()) / f"{name}.json"
    found = _read(file, key)
    if found is not None:
        return replace(choices, **found, decided_by="measured before")
    best = _measured(gen, choices)
    found = {"capacity": best.capacity, "bands": best.bands}
    try:
        write_text(file, json.dumps({"key": key, "found": found}, indent=1) + "\n")
    except OutputError as error:
        return replace(choices, **found, decided_by=f"measured, and not kept: {error}")
    return replace(choices, **found, decided_by="measured")


def _measured(gen: Gen, choices: Choices) -> Choices:
    """Every candidate in turns; the one with the least median."""
    candidates = [
        replace(choices, capacity=capacity, bands=bands)
        for capacity in _CAPACITIES
        for bands in (False, True)
    ]
    images = max(_CAPACITIES) * choices.threads
    feed = probe_inputs(gen.spec, images)
    image = gen.spec.modality == "image"
    times: list[list[float]] = [[] for _ in candidates]
    sessions = [Session(gen, candidate) for candidate in candidates]
    try:
        # The first round packs weights and touches memory.
        for number in range(_ROUNDS + 1):
            for kept, session in zip(times, sessions, strict=True):
                began = time.perf_counter()
                session.run("decoder", image, feed)
                if number:
                    kept.append(time.perf_counter() - began)
    finally:
        for session in sessions:
            session.close()
    medians = [statistics.median(kept) for kept in times]
    return candidates[medians.index(min(medians))]


def _read(file: Path, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a file of this key says, None if there is none or it is damaged."""
    try:
        values = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    match values:
        case {"key": found, "found": {"capacity": int(capacity), "bands": bool(bands)}} if (
            found == key and capacity in _CAPACITIES
        ):
            return {"capacity": capacity, "bands": bands}
    return None


def _key(digest: str, choices: Choices) -> dict[str, Any]:
    return {
        "artifact": digest,
        "version": __version__,
        "processor": _processor(),
        "instruction_set": choices.instruction_set,
        "bf16": choices.bf16,
        "threads": choices.threads,
        "cache_bytes": choices.cache_bytes,
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    return next((line for line in lines if line.startswith("model name")), "")


def _folder() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "generator-engine" / "native"
