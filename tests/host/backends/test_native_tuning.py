"""The optional measurement: kept, found again, and safe against what lies in the cache folder."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from engine import Engine
from engine.backends._native import tuning
from engine.backends._native.choices import default_choices
from kernels.native import library
from tests.cases.small_programs import dcgan

DIGEST = "0" * 64


@pytest.fixture
def choices():
    why = library.unavailable()
    if why is not None:
        pytest.skip(why)
    return default_choices(64, 1, False, library.instruction_sets()[-1])


def test_what_was_measured_is_found_again(choices, tmp_path: Path) -> None:
    first = tuning.tuned(dcgan(), DIGEST, choices, tmp_path)
    assert first.decided_by == "measured"
    again = tuning.tuned(dcgan(), DIGEST, choices, tmp_path)
    assert again.decided_by == "measured before"
    assert (again.capacity, again.bands) == (first.capacity, first.bands)
    assert len(list(tmp_path.iterdir())) == 1
    assert tuning.tuned(dcgan(), "1" * 64, choices, tmp_path).decided_by == "measured"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"capacity": 17}', "\xff"])
def test_a_damaged_file_is_measured_again(choices, tmp_path: Path, damage: str) -> None:
    tuning.tuned(dcgan(), DIGEST, choices, tmp_path)
    (file,) = tmp_path.iterdir()
    sound = json.loads(file.read_text())
    file.write_bytes(damage.encode("latin-1"))
    assert tuning.tuned(dcgan(), DIGEST, choices, tmp_path).decided_by == "measured"
    sound["found"]["capacity"] = 17
    file.write_text(json.dumps(sound))
    assert tuning.tuned(dcgan(), DIGEST, choices, tmp_path).decided_by == "measured"


def test_writers_at_once_leave_a_whole_file(choices, tmp_path: Path) -> None:
    threads = [
        threading.Thread(target=tuning.tuned, args=(dcgan(), DIGEST, choices, tmp_path))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tuning.tuned(dcgan(), DIGEST, choices, tmp_path).decided_by == "measured before"


def test_a_folder_that_cannot_be_written(choices, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = tuning.tuned(dcgan(), DIGEST, choices, tmp_path / "file")
    assert found.decided_by.startswith("measured, and not kept: ")


def test_engines_ask_for_it_by_the_environment(
    choices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Engine("vae-digits", backend="native", batch_size=32, threads=1)
    assert plain.versions["native plan"] == "defaults"
    monkeypatch.setenv(tuning.VARIABLE, "1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    engine = Engine("vae-digits", backend="native", batch_size=32, threads=1)
    assert engine.versions["native plan"].startswith("measured: micro-batches of ")
    assert (engine.generate(20) == plain.generate(20)).all()
