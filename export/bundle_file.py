"""Parts made in a folder -> one `.bundle` file."""

from __future__ import annotations

import dataclasses
import json
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.core.artifacts import SourceFile
from engine.core.bundle import FORMAT, INDEX, VERSION, LeftOut, Part, PartFile, read_bundle
from engine.core.errors import ExportError
from engine.core.files import atomic_path, sha256
from engine.core.spec import GeneratorSpec

# A ZIP entry has a header of 30 bytes and its name. zipfile makes it longer for files that come
# within 5 % of 2 GiB, where ONNX ends as well.
_ENTRY_HEADER = 30
_LARGEST = int(zipfile.ZIP64_LIMIT / 1.05)
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Made:
    """A part as it lies in the folder: its files, the one that gives it its name first."""

    part: Part
    paths: tuple[Path, ...]


def made(paths: Sequence[Path], **fields: Any) -> Made:
    """A part of files that were just written; fields are those of `Part`. Raises ExportError."""
    files = []
    for path in paths:
        size = path.stat().st_size
        if size > _LARGEST:
            raise ExportError(f"{path.name} has {size / 1e9:.1f} GB; a bundle takes parts of 2 GB")
        files.append(PartFile(path.name, 0, size, sha256(path)))
    return Made(Part(name=paths[0].name, files=tuple(files), **fields), tuple(paths))


def write_bundle(
    out: Path,
    spec: GeneratorSpec,
    source: SourceFile,
    versions: Mapping[str, str],
    parts: Sequence[Made],
    left_out: Sequence[LeftOut] = (),
) -> None:
    """Write the file in one step, and read all of it back first; equal parts give equal bytes.

    Raises OutputError, ExportError.
    """
    placed = _placed([item.part for item in parts])
    index = {
        "format": FORMAT,
        "version": VERSION,
        "spec": spec.to_dict(),
        "source": dataclasses.asdict(source),
        "versions": dict(versions),
        "parts": [dataclasses.asdict(part) for part in placed],
        "left_out": [dataclasses.asdict(item) for item in left_out],
    }
    text = json.dumps(index, indent=1, ensure_ascii=False, allow_nan=False).encode()
    with atomic_path(out) as temporary:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_entry(INDEX, len(text)), text)
            for path in (path for item in parts for path in item.paths):
                entry = _entry(path.name, path.stat().st_size)
                with archive.open(entry, "w") as target, open(path, "rb") as file:
                    shutil.copyfileobj(file, target, 1 << 20)
        bundle = read_bundle(temporary)
        for part in bundle.index.parts:
            damage = bundle.damage(part)
            if damage is not None:
                raise ExportError(f"{out}: what was written cannot be read back: {damage}")


def _placed(parts: Sequence[Part]) -> list[Part]:
    """Parts whose files know where they will lie."""
    offset, placed = 0, []
    for part in parts:
        files = []
        for file in part.files:
            offset += _ENTRY_HEADER + len(file.name)
            files.append(dataclasses.replace(file, offset=offset))
            offset += file.size
        placed.append(dataclasses.replace(part, files=tuple(files)))
    return placed


def _entry(name: str, size: int) -> zipfile.ZipInfo:
    # Without a date of its own the file would be another one each time.
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    entry.file_size = size
    return entry
