"""Will it fit, and can it be written? Asked before the work starts, not after hours of it."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path

from engine.core.errors import OutputError
from engine.core.units import human_bytes

# Signature, IHDR, one IDAT with an empty zlib stream, IEND.
_SMALLEST_PNG_BYTES = 67
# A file is written under a temporary name, which is longer, and so is the sidecar beside it.
_TEMPORARY = "..XXXXXXXX.tmp"
_SIDECAR = ".manifest.json"


def check_file(path: Path) -> None:
    """Raise OutputError unless a file `path` can be written; makes nothing."""
    own, beside = len(path.suffix), len(f"{_SIDECAR}.json")
    check_names(path, len(_TEMPORARY) + max(own, beside))
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a device or another special file"
        raise OutputError(f"{path} is {kind}; choose the name of a file")
    # A link stays one, and the file that it points to is written.
    check_folder((path.resolve() if path.is_symlink() else path).parent)


def check_folder(folder: Path) -> None:
    """Raise OutputError unless files can be made in `folder`, or it can be made; makes nothing."""
    check_names(folder)
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)):
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


def check_names(path: Path, longer_by: int = 0) -> None:
    """Raise OutputError if a part of `path`, the last one so much longer, is too long a name."""
    if not hasattr(os, "pathconf"):
        return
    limit = os.pathconf(_existing(path), "PC_NAME_MAX")
    growth = dict.fromkeys(path.parts, 0) | {path.name: longer_by}
    for part, more in growth.items():
        length = len(os.fsencode(part))
        if length + more > limit:
            raise OutputError(
                f"the name {part[:24]}... has {length} bytes, and {limit - more} are possible "
                "here; choose a shorter one"
            )


def _existing(path: Path) -> Path:
    """The nearest of `path` and its parents that exists."""
    for candidate in (path, *path.absolute().parents):
        try:
            candidate.stat()
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
                raise OutputError(f"cannot write to {path}: {error.strerror}") from error
        else:
            return candidate
    raise OutputError(f"cannot write to {path}: no part of it exists")
