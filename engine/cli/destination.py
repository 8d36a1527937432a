"""What -o means: a sheet, a folder of PNGs, or an array file."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from engine.core.errors import OptionError

Format = Literal["sheet", "pngs", "npy", "npz"]

_SUFFIXES: dict[str, Format] = {".png": "sheet", ".npy": "npy", ".npz": "npz", "": "pngs"}


@dataclass(frozen=True, slots=True)
class Destination:
    """Where and how samples are written; grid (columns, rows) and resume as asked for."""

    path: Path
    format: Format
    grid: tuple[int, int] | None = None
    resume: bool = False

    def or_grid(self, columns: int, rows: int) -> Destination:
        """With this grid, if it is a sheet for which none was asked."""
        if self.format != "sheet" or self.grid is not None:
            return self
        return dataclasses.replace(self, grid=(columns, rows))


def destination(
    out: Path, format: str | None, grid: tuple[int, int] | None, resume: bool
) -> Destination:
    """Read -o, --format, --grid and --resume. Raises OptionError where they do not go together."""
    if format is None:
        chosen = "pngs" if out.is_dir() else _SUFFIXES.get(out.suffix.lower())
        if chosen is None:
            raise OptionError(
                f"-o {out}: {out.suffix!r} is unknown; give .png, .npy, .npz or a folder, "
                "or say --format"
            )
    else:
        chosen = cast(Format, format)
    if chosen != "pngs" and out.is_dir():
        raise OptionError(f"-o {out} is a folder; --format {chosen} writes one file")
    if grid is not None and chosen != "sheet":
        raise OptionError(f"--grid is for a sheet, and -o {out} writes {chosen}; leave it out")
    if resume and chosen != "pngs":
        raise OptionError(f"--resume is for a folder of PNGs, and -o {out} writes {chosen}")
    return Destination(out, chosen, grid, resume)
