"""Where and how to save, as Python gives it: of any type, where the command line has checked it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from engine import inputs
from engine.core.errors import OptionError
from engine.sinks.destination import Destination, FileOptions, destination


def checked_destination(
    path: Any, format: Any, grid: Any, resume: Any, **files: Any
) -> Destination:
    """The destination of `engine.saving.save`'s arguments; files: those of `FileOptions`.

    Raises OptionError for a value of the wrong kind, and as `destination` does.
    """
    if not isinstance(path, (str, Path)):
        raise OptionError(f"path={path!r} must be the name of a file or folder")
    _check_names(format=format, member=files["member"])
    if not isinstance(files["encoder"], str):
        raise OptionError(f"encoder={files['encoder']!r} must be a name, or 'auto'")
    for what, flag in (("resume", resume), ("lossless", files["lossless"])):
        if not isinstance(flag, bool):
            raise OptionError(f"{what}={flag!r} must be True or False")
    for what in ("quality", "shard_size", "threads"):
        if files[what] is not None:
            # Which whole numbers will do, the destination knows.
            files[what] = inputs.count(what, files[what], -(2**63))
    # A Path forgets the separator that makes a name a folder.
    return destination(os.fspath(path), format, _grid(grid), resume, FileOptions(**files))


def _check_names(**names: Any) -> None:
    for what, name in names.items():
        if name is not None and not isinstance(name, str):
            raise OptionError(f"{what}={name!r} must be a name")


def _grid(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise OptionError(f"grid={value!r} must be (columns, rows), like (8, 4)")
    columns, rows = value
    return inputs.count("grid columns", columns, 1), inputs.count("grid rows", rows, 1)
