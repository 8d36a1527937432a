from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.destination import destination
from engine.core.errors import OptionError


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
    ],
    ids=["sheet", "capitals", "npy", "npz", "folder", "folder there", "dots", "npy by name"],
)
def test_the_name_or_the_format_decides(
    here: Path, out: str, format: str | None, expected: str
) -> None:
    (here / "folder.png").mkdir()
    assert destination(Path(out), format, None, False).format == expected


def test_one_file_is_not_written_over_a_folder(here: Path) -> None:
    with pytest.raises(OptionError, match="is a folder; --format npy writes one file"):
        destination(here, "npy", None, False)


def test_a_default_grid_gives_way_to_the_one_asked_for() -> None:
    asked = destination(Path("a.png"), None, (2, 3), False)
    assert asked.or_grid(9, 9).grid == (2, 3)
    assert destination(Path("a.png"), None, None, False).or_grid(9, 9).grid == (9, 9)
    assert destination(Path("a.npy"), None, None, False).or_grid(9, 9).grid is None
