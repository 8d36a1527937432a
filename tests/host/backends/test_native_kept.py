"""Measurements in the cache folder: found again, whole, and safe against what lies there."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from engine.backends._native import kept, tuning
from engine.backends._native.choices import Choices
from engine.backends._native.kept import Found
from kernels.native import library
from tests.cases.small_programs import dcgan

DIGEST = "0" * 64
CHOICES = Choices(False, False, 48, 2, "avx512")
FOUND = Found(32, True, {"up": 1}, ("micro-batches of 32 1.10 times as fast",))
KEY = kept.key(DIGEST, CHOICES, 64)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = kept.file_of(tmp_path, KEY)
    assert kept.read(file, KEY) is None
    kept.write(file, KEY, FOUND)
    assert kept.read(file, KEY) == FOUND
    applied = FOUND.applied(CHOICES, "measured before")
    assert (applied.capacity, applied.bands, applied.algorithms) == (32, True, {"up": 1})


@pytest.mark.parametrize(
    ("choices", "batch_size"),
    [
        (replace(CHOICES, threads=1), 64),
        (replace(CHOICES, bf16=True), 64),
        (replace(CHOICES, instruction_set="avx2"), 64),
        (replace(CHOICES, cache_bytes=1 << 21), 64),
        (replace(CHOICES, capacity=32), 64),
        (CHOICES, 128),
    ],
    ids=["threads", "precision", "instruction set", "cache", "default", "batch size"],
)
def test_each_way_to_run_has_its_own(choices: Choices, batch_size: int, tmp_path: Path) -> None:
    other = kept.key(DIGEST, choices, batch_size)
    file = kept.file_of(tmp_path, KEY)
    assert kept.file_of(tmp_path, other) != file
    kept.write(file, KEY, FOUND)
    assert kept.read(file, other) is None


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"key": 1}'], ids=lambda data: data[:5]
)
def test_a_damaged_file_is_none(tmp_path: Path, damage: bytes) -> None:
    file = kept.file_of(tmp_path, KEY)
    file.write_bytes(damage)
    assert kept.read(file, KEY) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [('"capacity": 32', '"capacity": 48'), ('"up": 1', '"up": 2'), ("1.10", "9.10")],
    ids=["capacity", "algorithm", "evidence"],
)
def test_a_file_with_one_other_byte_is_none(tmp_path: Path, old: str, new: str) -> None:
    file = kept.file_of(tmp_path, KEY)
    kept.write(file, KEY, FOUND)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    assert kept.read(file, KEY) is None


def test_a_folder_in_its_place_is_none(tmp_path: Path) -> None:
    file = kept.file_of(tmp_path, KEY)
    file.mkdir()
    assert kept.read(file, KEY) is None


def small() -> Choices:
    why = library.unavailable()
    if why is not None:
        pytest.skip(why)
    return Choices(False, False, 16, 1, library.instruction_sets()[-1])


def test_writers_at_once_leave_a_whole_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices = small()
    monkeypatch.setattr(tuning, "BUDGET_S", 0.2)
    threads = [
        threading.Thread(target=tuning.tuned, args=(dcgan(), DIGEST, choices, 16, tmp_path))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(tmp_path.iterdir())) == 1
    found = tuning.tuned(dcgan(), DIGEST, choices, 16, tmp_path)
    assert found.decided_by == "measured before"


def test_a_damaged_file_is_measured_again(tmp_path: Path) -> None:
    choices = small()
    tuning.tuned(dcgan(), DIGEST, choices, 16, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_text("{")
    found = tuning.tuned(dcgan(), DIGEST, choices, 16, tmp_path)
    assert found.decided_by == "measured"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = tuning.tuned(dcgan(), DIGEST, small(), 16, tmp_path / "file")
    assert found.decided_by.startswith("measured, and not kept: ")


def test_without_a_home_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    found = tuning.tuned(dcgan(), DIGEST, small(), 16)
    assert found.decided_by == "measured, and not kept: Could not determine home directory."
