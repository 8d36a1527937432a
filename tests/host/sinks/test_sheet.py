from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.core.errors import OptionError
from engine.sinks.sheet import draw_sheet, plan_sheet, write_sheet


@pytest.mark.parametrize(
    ("n", "grid"),
    [(1, (1, 1)), (7, (3, 3)), (64, (8, 8)), (65, (9, 8))],
    ids=["1", "7", "64", "65"],
)
def test_the_default_grid_is_nearly_square(n: int, grid: tuple[int, int]) -> None:
    layout = plan_sheet(n, (32, 32, 1))
    assert (layout.columns, layout.rows) == grid


def test_wide_images_get_fewer_columns() -> None:
    layout = plan_sheet(16, (16, 64, 3))
    assert (layout.columns, layout.rows) == (2, 8)


@pytest.mark.parametrize(
    ("size", "scale"),
    [(1, 64), (28, 3), (32, 2), (64, 1), (256, 1)],
    ids=["1", "28", "32", "64", "256"],
)
def test_small_images_are_enlarged_until_they_can_be_seen(size: int, scale: int) -> None:
    assert plan_sheet(4, (size, size, 1)).scale == scale


def test_a_big_sheet_is_not_enlarged() -> None:
    assert plan_sheet(10_000, (28, 28, 1)).scale == 1


def test_every_image_stands_in_its_cell() -> None:
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1) + np.full(
        (5, 28, 28, 1), 100, np.uint8
    )
    layout = plan_sheet(5, (28, 28, 1), columns=2, rows=4)
    sheet = draw_sheet([images[:3], images[3:]], layout)
    assert sheet.shape == layout.shape == (4 * 84 + 3 * 2, 2 * 84 + 2, 1)
    for position in range(5):
        y, x = layout.corner(position)
        assert np.all(sheet[y : y + 84, x : x + 84] == 100 + position)
    gap = sheet[84, 0, 0]
    assert gap not in range(100, 105)
    y, x = layout.corner(5)
    assert np.all(sheet[y:, x:] == gap)


def test_a_grid_that_is_too_small_is_refused() -> None:
    with pytest.raises(OptionError, match="4x2; it holds 8"):
        plan_sheet(9, (32, 32, 3), columns=4, rows=2)


def test_a_sheet_that_no_viewer_opens_is_refused() -> None:
    with pytest.raises(OptionError, match=r"folder or a .npy"):
        plan_sheet(10**12, (64, 64, 3))


def test_the_text_travels_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "sheet.png"
    layout = plan_sheet(2, (8, 8, 3))
    write_sheet(path, [np.zeros((2, 8, 8, 3), np.uint8)], layout, {"note": "made by"})
    with Image.open(path) as image:
        assert image.text["note"] == "made by"
        assert image.size == (2 * 64 + 2, 64)
    assert [item.name for item in path.parent.iterdir()] == ["sheet.png"]
