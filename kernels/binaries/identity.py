"""What makes two launches run the same code: kernel, types, constants, options and sources."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from kernels.launch import FIXED_OPTIONS, Launch

_PACKAGE = Path(__file__).resolve().parents[1]


def recipe(launch: Launch) -> dict[str, Any]:
    """All that a launch's binary depends on but the architecture, as JSON values."""
    function = launch.kernel.fn
    return {
        "kernel": f"{function.__module__}.{function.__name__}",
        "signature": launch.signature(),
        "constants": dict(launch.constants),
        "num_warps": launch.num_warps,
        "num_stages": launch.num_stages,
        "options": {**FIXED_OPTIONS, **launch.options},
        "sources": source_digest(),
    }


def identity(launch: Launch) -> str:
    """A hash of the recipe: launches that share it share their binary."""
    text = json.dumps(recipe(launch), sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def source_digest() -> str:
    """A hash of every file of this package that has device code."""
    digest = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        data = path.read_bytes()
        if b"@triton.jit" in data and path != Path(__file__).resolve():
            digest.update(path.relative_to(_PACKAGE).as_posix().encode() + b"\0" + data + b"\0")
    return digest.hexdigest()
