"""Will it fit? Asked before the work starts, not after hours of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from engine.core.errors import OutputError

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")
# Signature, IHDR, one IDAT with an empty zlib stream, IEND.
_SMALLEST_PNG_BYTES = 67


def human_bytes(count: float) -> str:
    """A size in decimal units: 1500000 -> '1.5 MB'."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count /= 1000
        unit += 1
    return f"{count:.0f} bytes" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"


def check_folder(folder: Path) -> None:
    """Make `folder` if need be and prove that files can be made in it. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write to {folder}: {error.strerror or error}; choose another output"
        ) from error


def check_space(folder: Path, needed_bytes: int) -> None:
    """Raise OutputError if the disk that holds `folder`, or is to, has less than that free."""
    folder = _existing(folder)
    free_bytes = shutil.disk_usage(folder).free
    if needed_bytes > free_bytes:
        raise OutputError(
            f"the output would take {human_bytes(needed_bytes)} and {folder} has "
            f"{human_bytes(free_bytes)} free; ask for fewer samples or choose another disk"
        )


def check_room_for_files(folder: Path, count: int) -> None:
    """Raise OutputError if the disk that holds `folder`, or is to, cannot take `count` PNGs."""
    check_space(folder, count * _SMALLEST_PNG_BYTES)
    if not hasattr(os, "statvfs"):
        return
    state = os.statvfs(_existing(folder))
    # File systems without a fixed table of inodes report none at all.
    if state.f_files and count > state.f_favail:
        raise OutputError(
            f"{count:,} files are asked for and the file system of {folder} has room for "
            f"{state.f_favail:,}; write a .npy file or several folders on other disks"
        )


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())
