"""Contact sheets: many images in one, row by row, with thin gaps."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.core.errors import OptionError
from engine.core.files import write_bytes
from engine.sinks.png import check_image_shape, encode_png

_GAP_PX = 2
_GAP_VALUE = 96
# Cells are enlarged by whole factors until their longer side has this many pixels.
_VISIBLE_PX = 64
_ENLARGED_LIMIT_PX = 4096
_LIMIT_PX = 1 << 27

Images = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Layout:
    """Geometry of a sheet: `columns` x `rows` cells of images [H, W, C], enlarged `scale` times."""

    image: tuple[int, int, int]
    columns: int
    rows: int
    scale: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the sheet [H, W, C] in pixels."""
        height, width, channels = self.image
        return (
            _extent(self.rows, height * self.scale),
            _extent(self.columns, width * self.scale),
            channels,
        )

    def corner(self, position: int) -> tuple[int, int]:
        """Top left pixel (y, x) of the cell at `position`, counted row by row."""
        row, column = divmod(position, self.columns)
        height, width, _ = self.image
        return row * (height * self.scale + _GAP_PX), column * (width * self.scale + _GAP_PX)


def plan_sheet(
    n: int, image: tuple[int, ...], columns: int | None = None, rows: int | None = None
) -> Layout:
    """Lay out `n` images [H, W, C], nearly square unless `columns` is given; small ones enlarged.

    Raises OptionError if the grid is too small for `n`, or the sheet beyond what viewers open.
    """
    check_image_shape(image)
    height, width, channels = image
    columns = columns or math.ceil(math.sqrt(n * height / width))
    needed = math.ceil(n / columns)
    rows = rows or needed
    if needed > rows:
        raise OptionError(
            f"{n} images do not fit a grid of {columns}x{rows}; it holds {columns * rows}"
        )
    pixels = _extent(rows, height) * _extent(columns, width)
    if pixels > _LIMIT_PX:
        raise OptionError(
            f"a sheet of {columns}x{rows} images of {width}x{height} would have {pixels:,} pixels, "
            f"more than {_LIMIT_PX:,}; write a folder or a .npy file instead"
        )
    scale = math.ceil(_VISIBLE_PX / max(height, width))
    longest = max(_extent(rows, height * scale), _extent(columns, width * scale))
    return Layout(
        (height, width, channels), columns, rows, scale if longest <= _ENLARGED_LIMIT_PX else 1
    )


def draw_sheet(batches: Iterable[Images], layout: Layout) -> Images:
    """Batches of images uint8 [b, H, W, C], in their order, as one image uint8 [H', W', C]."""
    sheet = np.full(layout.shape, _GAP_VALUE, np.uint8)
    if layout.image[2] in (2, 4):
        sheet[:, :, -1] = 255
    position = 0
    for batch in batches:
        for image in batch:
            enlarged = image.repeat(layout.scale, axis=0).repeat(layout.scale, axis=1)
            y, x = layout.corner(position)
            sheet[y : y + enlarged.shape[0], x : x + enlarged.shape[1]] = enlarged
            position += 1
    return sheet


def write_sheet(
    path: Path, batches: Iterable[Images], layout: Layout, text: dict[str, str]
) -> None:
    """Draw the batches and write one PNG with `text` in its text chunks. Raises OutputError."""
    write_bytes(path, encode_png(draw_sheet(batches, layout), text))


def _extent(cells: int, size: int) -> int:
    return cells * size + (cells - 1) * _GAP_PX
