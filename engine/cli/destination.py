"""What -o means: a sheet, a folder of PNGs, or an array file."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from engine.core.errors import OptionError
from engine.sinks.space import check_names

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
    out: str, format: str | None, grid: tuple[int, int] | None, resume: bool
) -> Destination:
    """Read -o, --format, --grid and --resume. Raises OptionError where they do not go together.

    A name that ends in a separator is a folder, whatever stands before. Raises OutputError for
    names that the file system does not take.
    """
    if not out.strip():
        raise OptionError("-o is empty; give a .png, .npy or .npz file, or a folder")
    path = Path(out)
    check_names(path)
    is_folder = path.is_dir() or out.endswith(_separators())
    if format is not None:
        chosen = cast(Format, format)
    elif is_folder:
        chosen = "pngs"
    else:
        chosen = _by_name(path)
    if chosen != "pngs" and is_folder:
        raise OptionError(f"-o {out} is a folder; --format {chosen} writes one file")
    if grid is not None and chosen != "sheet":
        raise OptionError(f"--grid is for a sheet, and -o {out} writes {chosen}; leave it out")
    if resume and chosen != "pngs":
        raise OptionError(f"--resume is for a folder of PNGs, and -o {out} writes {chosen}")
    return Destination(path, chosen, grid, resume)


def _by_name(path: Path) -> Format:
    if path.name.lower() in _SUFFIXES:
        raise OptionError(
            f"-o {path}: {path.name!r} is a suffix without a name; give one, like a{path.name}"
        )
    chosen = _SUFFIXES.get(path.suffix.lower())
    if chosen is None:
        raise OptionError(
            f"-o {path}: {path.suffix!r} is unknown; give .png, .npy, .npz or a folder "
            f"({path}{os.sep}), or say --format"
        )
    return chosen


def _separators() -> tuple[str, ...]:
    return tuple(separator for separator in (os.sep, os.altsep) if separator)
