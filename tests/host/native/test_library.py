"""Finding and loading the shared object."""

from __future__ import annotations

import ctypes.util
import os
import platform
import shutil
from pathlib import Path

import pytest

from kernels.native import library


def test_it_was_built_where_there_is_a_compiler() -> None:
    if shutil.which("c++") is None:
        pytest.skip("no C++ compiler, so the package was installed without native kernels")
    assert library.unavailable() is None


def test_instruction_sets_end_with_the_best() -> None:
    if library.unavailable():
        pytest.skip(library.unavailable() or "")
    sets = library.instruction_sets()
    assert sets[0] == "portable"
    known = ("portable", "avx2", "avx512", "avx512_bf16", "amx")
    assert sets == known[: len(sets)]


@pytest.mark.skipif(
    not Path("/proc/cpuinfo").exists() or platform.machine() != "x86_64",
    reason="asks the Linux kernel what an x86 processor has",
)
def test_instruction_sets_are_those_of_the_processor() -> None:
    if library.unavailable():
        pytest.skip(library.unavailable() or "")
    flags = next(
        set(line.split(":")[1].split())
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("flags")
    )
    sets = library.instruction_sets()
    assert ("avx2" in sets) == ({"avx2", "fma"} <= flags)
    assert ("avx512" in sets) == ({"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= flags)
    assert ("amx" in sets) <= ("amx_bf16" in flags)


def test_a_missing_library_is_said_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(library.VARIABLE, str(tmp_path / "none.so"))
    reason = library.unavailable() or ""
    assert str(tmp_path / "none.so") in reason
    assert "C++ compiler" in reason


def test_another_library_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    name = ctypes.util.find_library("m")
    if name is None:
        pytest.skip("no libm to try it with")
    paths = [Path(folder) / name for folder in ("/lib", "/usr/lib", "/lib/x86_64-linux-gnu")]
    found = [path for path in paths if path.exists()]
    if not found:
        pytest.skip(f"{name} is in none of the usual folders")
    monkeypatch.setenv(library.VARIABLE, str(found[0]))
    assert "another library" in (library.unavailable() or "")


def test_a_file_that_is_no_library_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "text.so"
    file.write_text("not ELF")
    monkeypatch.setenv(library.VARIABLE, os.fspath(file))
    assert "text.so" in (library.unavailable() or "")
