from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from engine.core.errors import OutputError
from engine.core.files import write_text
from engine.sinks.arrays import Parts, write_npy
from engine.sinks.manifest import sidecar
from engine.sinks.space import check_file, check_folder, check_room_for_files, check_space


def test_more_than_the_disk_holds_is_refused(tmp_path: Path) -> None:
    check_space(tmp_path, 1)
    with pytest.raises(OutputError, match=r"take 1 EB .* free; ask for fewer"):
        check_space(tmp_path, 10**18)


def test_more_files_than_the_disk_holds_are_refused(tmp_path: Path) -> None:
    check_room_for_files(tmp_path, 1)
    with pytest.raises(OutputError):
        check_room_for_files(tmp_path, 10**15)


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory; choose another output"):
        check_folder(tmp_path / "file" / "out")


def test_asking_makes_nothing(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    check_file(tmp_path / "a" / "b.npy")
    assert list(tmp_path.iterdir()) == []


def test_a_name_must_leave_room_for_those_of_the_sidecar(tmp_path: Path) -> None:
    limit = os.pathconf(tmp_path, "PC_NAME_MAX")
    path = tmp_path / ("n" * (limit - 33 - len(".npy")) + ".npy")
    check_file(path)
    write_npy(path, Parts.of(np.zeros((1, 2), np.float32)))
    write_text(sidecar(path), "{}")
    with pytest.raises(OutputError, match=f"has {limit - 32} bytes, and {limit - 33} are possible"):
        check_file(path.with_name(f"n{path.name}"))
    with pytest.raises(OutputError, match="choose a shorter one"):
        check_folder(tmp_path / ("n" * (limit + 1)) / "out")
    with pytest.raises(OutputError, match="choose a shorter one"):
        check_folder(tmp_path / "new" / ("n" * (limit + 1)))


def test_special_files_and_folders_are_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="pipe is a device or another special file"):
        check_file(tmp_path / "pipe")
    with pytest.raises(OutputError, match="is a folder; choose the name of a file"):
        check_file(tmp_path)
    with pytest.raises(OutputError, match="Not a directory"):
        check_folder(tmp_path / "pipe")
