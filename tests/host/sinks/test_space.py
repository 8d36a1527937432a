from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.errors import OutputError
from engine.sinks.space import check_folder, check_room_for_files, check_space, human_bytes


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1_500_000, "1.5 MB"),
        (3e12, "3.0 TB"),
        (5e21, "5000.0 EB"),
    ],
    ids=["0", "999", "MB", "TB", "beyond EB"],
)
def test_sizes_are_readable(count: float, text: str) -> None:
    assert human_bytes(count) == text


def test_more_than_the_disk_holds_is_refused(tmp_path: Path) -> None:
    check_space(tmp_path, 1)
    with pytest.raises(OutputError, match=r"take 1\.0 EB .* free; ask for fewer"):
        check_space(tmp_path, 10**18)


def test_more_files_than_the_disk_holds_are_refused(tmp_path: Path) -> None:
    check_room_for_files(tmp_path, 1)
    with pytest.raises(OutputError):
        check_room_for_files(tmp_path, 10**15)


def test_a_folder_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory; choose another output"):
        check_folder(tmp_path / "file" / "out")


def test_a_new_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []
