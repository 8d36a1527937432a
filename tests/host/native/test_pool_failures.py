"""The pool by itself, in a program of its own: no operation fails on purpose."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[3] / "kernels" / "native" / "src"


def test_what_a_worker_throws_reaches_the_caller(tmp_path: Path) -> None:
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    program = tmp_path / "pool_failures"
    sources = [Path(__file__).with_name("pool_failures.cpp")]
    sources += [SOURCES / name for name in ("affinity.cpp", "event.cpp", "pool.cpp", "process.cpp")]
    command = [compiler, "-std=c++17", "-O1", "-pthread", f"-I{SOURCES}", *sources, "-o", program]
    # Races are looked for where the compiler can.
    built = _run([*command, "-fsanitize=thread"])
    if built.returncode:
        built = _run(command)
    assert built.returncode == 0, built.stderr
    ran = _run([program])
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    # A sanitizer that this process runs under and that of the program exclude each other.
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=environment
    )
