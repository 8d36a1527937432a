"""The machine and versions that a measurement belongs to."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from engine import backends
from engine.cli.doctor import cpu_model


def describe_machine() -> str:
    """One line: processor, cores, versions of the backends, commit."""
    versions = ", ".join(
        f"{report.name} {report.version}"
        for report in backends.doctor()
        if report.available and report.name != "null"
    )
    return f"{cpu_model()}, {os.cpu_count()} cores; {versions}; commit {_commit()}"


def _commit() -> str:
    result = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or "unknown"
