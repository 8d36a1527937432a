from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.core.errors import OptionError, OutputError
from engine.sinks.destination import destination


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("out", "format", "expected"),
    [
        ("a.png", None, "sheet"),
        ("a.PNG", None, "sheet"),
        ("a.npy", None, "npy"),
        ("a.npz", None, "npz"),
        ("a", None, "pngs"),
        ("folder.png", None, "pngs"),
        ("a.v2", "pngs", "pngs"),
        ("a.dat", "npy", "npy"),
        ("run.v2/", None, "pngs"),
        ("a.npy/", None, "pngs"),
        (".png", "sheet", "sheet"),
    ],
    ids=[
        "sheet",
        "capitals",
        "npy",
        "npz",
        "folder",
        "folder there",
        "dots",
        "npy by name",
        "separator",
        "separator after a suffix",
        "hidden file by name",
    ],
)
def test_the_name_or_the_format_decides(
    here: Path, out: str, format: str | None, expected: str
) -> None:
    (here / "folder.png").mkdir()
    assert destination(out, format, None, False).format == expected


def test_one_file_is_not_written_over_a_folder(here: Path) -> None:
    with pytest.raises(OptionError, match="is a folder; format npy writes one file"):
        destination(str(here), "npy", None, False)
    with pytest.raises(OptionError, match="a/ is a folder; format npy writes one file"):
        destination("a/", "npy", None, False)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("", "is empty; give a .png"),
        ("  ", "is empty"),
        (".png", "'.png' is a suffix without a name; give one, like a.png"),
        ("o/.NPY", "'.NPY' is a suffix without a name"),
        (
            "run.v2",
            "'.v2' is unknown; give .png, .npy, .npz or a folder (run.v2/), or a format",
        ),
    ],
    ids=["empty", "blank", "suffix alone", "in capitals", "unknown suffix"],
)
def test_a_name_that_says_nothing_is_refused(here: Path, out: str, message: str) -> None:
    with pytest.raises(OptionError, match=re.escape(message)):
        destination(out, None, None, False)


def test_a_name_that_is_too_long_is_refused(here: Path) -> None:
    with pytest.raises(OutputError, match="nnn... has 300 bytes"):
        destination("n" * 300, None, None, False)


def test_a_default_grid_gives_way_to_the_one_asked_for() -> None:
    asked = destination("a.png", None, (2, 3), False)
    assert asked.or_grid(9, 9).grid == (2, 3)
    assert destination("a.png", None, None, False).or_grid(9, 9).grid == (9, 9)
    assert destination("a.npy", None, None, False).or_grid(9, 9).grid is None
