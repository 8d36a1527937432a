"""A folder that one run fills: is it free, was this run begun in it, and names of what it holds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from engine.core.errors import OptionError
from engine.sinks.manifest import FOLDER_MANIFEST, Manifest, read_manifest

# Sample files and shards of every format.
_NUMBERED = re.compile(r"\d{8,}\.(?:png|jpg|webp)|samples-\d{6,}\.(?:tar|npy)")
# Temporary names of these, and of the small files beside them (`engine.core.files`).
_LEFTOVER = re.compile(
    r"\.(?:\d{8,}|samples-\d{6,}|manifest|metadata|index)\.[^/]*\.tmp(?:\.[a-z]+)?"
)


def digits_for(manifest: Manifest) -> int:
    """How many digits an index has in names: 8, or as many as the last one needs."""
    return max(8, len(str(manifest.start + manifest.n - 1)))


def numbered(path: Path) -> Iterator[str]:
    """Names of sample files and shards in a folder, in no order."""
    with os.scandir(path) as entries:
        for entry in entries:
            if _NUMBERED.fullmatch(entry.name):
                yield entry.name


def earlier_run(path: Path, manifest: Manifest, resume: bool) -> Manifest | None:
    """The manifest of the run in folder `path` that `manifest` continues; None if it is free.

    Temporary files of that run are removed. Raises OptionError when the folder holds files of
    another run, or of any run and `resume` is off; ArtifactError for a damaged manifest.
    """
    if not path.is_dir():
        return None
    earlier = read_manifest(path / FOLDER_MANIFEST)
    example = next(numbered(path), None)
    if example is None:
        # A manifest alone is what a run left that made nothing whole.
        if earlier is not None:
            _remove_leftovers(path)
        return None
    if earlier is None:
        raise OptionError(
            f"{path} holds numbered files ({example}) and no {FOLDER_MANIFEST}; "
            "choose an empty folder"
        )
    if not resume:
        raise OptionError(
            f"{path} holds a run already; continue it with --resume or choose an empty folder"
        )
    if differences := earlier.differences(manifest):
        raise OptionError(
            f"{path} holds a run with other settings ({'; '.join(differences)}); "
            "resume with the same ones or choose an empty folder"
        )
    _remove_leftovers(path)
    return earlier


def begun_batch_size(path: Path) -> int | None:
    """The batch size of the run that stands in a folder, None if there is none.

    To be kept when it is continued: what an engine would choose depends on the memory that is free,
    and small batches have bits of their own. Raises ArtifactError for a damaged manifest.
    """
    earlier = read_manifest(path / FOLDER_MANIFEST)
    return None if earlier is None else earlier.batch_size


def _remove_leftovers(path: Path) -> None:
    for item in path.iterdir():
        if _LEFTOVER.fullmatch(item.name):
            item.unlink(missing_ok=True)
