"""`.bundle`: one file with a generator in several forms, each checked by hash on its own.

It is a ZIP archive, stored, which any unzip opens. The first entry, `bundle.json`, tells where each
part lies and what its SHA-256 is, and is all that is read here: damage anywhere else, or a file
that is cut short, costs the parts that it hit and no others. ZIP's own directory at the end is for
other tools.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from engine.core.artifacts import SourceFile
from engine.core.errors import ArtifactError, OutputError
from engine.core.hints import nearest
from engine.core.records import decode_record
from engine.core.spec import GeneratorSpec

PartKind = Literal["plan", "gen", "onnx", "kernels"]

INDEX = "bundle.json"
FORMAT = "generator-bundle"
VERSION = 1
# How notes begin that tell of a damaged part.
DAMAGED = "damaged: "
_REMEDY = "make it again with python -m export.bundle"
# ZIP's local file header: signature, version, flags, method, time, date, CRC-32, two sizes, lengths
# of the name and of what follows it (PKWARE's APPNOTE, 4.3.7).
_HEADER = struct.Struct("<4sHHHHHIIIHH")
_SIGNATURE = b"PK\x03\x04"
# Specs hold a line of evidence for each layer, and nothing large.
_LARGEST_INDEX = 64 << 20
_CHUNK = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class PartFile:
    """A file in a bundle; offset counts in bytes from the end of the index."""

    name: str
    offset: int
    size: int
    sha256: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a file in a bundle")
        if not _DIGEST.fullmatch(self.sha256):
            raise ValueError(f"{self.sha256!r} is no SHA-256 of {self.name}")
        if self.offset < 0 or self.size < 1:
            raise ValueError(f"{self.name} cannot lie at {self.offset} with {self.size} bytes")


@dataclass(frozen=True, slots=True)
class Part:
    """One form of the generator, under the name of its first file.

    precision: what it was exported as. targets: GPUs it was built for, none for all.
    evidence: what was measured when it was made, by name. notes: the same in words.
    """

    name: str
    kind: PartKind
    precision: str
    files: tuple[PartFile, ...]
    targets: tuple[str, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.files or self.files[0].name != self.name:
            raise ValueError(f"part {self.name!r} must be called like its first file")

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum(file.size for file in self.files)

    @property
    def sha256(self) -> str:
        """Hex digest of its first file."""
        return self.files[0].sha256

    def described(self) -> str:
        """What it is, for what, and what was measured, as a line."""
        targets = f" for {', '.join(self.targets)}" if self.targets else ""
        measured = ", ".join(f"{name} {value:.3g}" for name, value in self.evidence.items())
        told = "; ".join(self.notes) or measured
        size = f"{self.size / 1e6:.2f} MB"
        return f"{self.name} ({self.precision}{targets}, {size})" + (f": {told}" if told else "")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part that could not be made, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Index:
    """What `bundle.json` says beside the spec: parts, the preferred of a kind first."""

    source: SourceFile
    versions: Mapping[str, str]
    parts: tuple[Part, ...]
    left_out: tuple[LeftOut, ...] = ()

    def __post_init__(self) -> None:
        names = [file.name for part in self.parts for file in part.files]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"{', '.join(sorted(twice))} are in it twice")


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle: what it says of itself, and where the parts begin."""

    path: Path
    spec: GeneratorSpec
    index: Index
    base: int

    def part(self, name: str) -> Part:
        """The part of a name. Raises ArtifactError with the names that there are."""
        for part in self.index.parts:
            if part.name == name:
                return part
        for left_out in self.index.left_out:
            if left_out.name == name:
                raise ArtifactError(f"{self.path}: {name} was not made: {left_out.reason}")
        names = tuple(part.name for part in self.index.parts)
        raise ArtifactError(f"{self.path}: there is no part {name!r}; {nearest(name, names)}")

    def extract(self, part: Part, folder: Path) -> Path:
        """Write a part's files into a folder and give the first one's path.

        Raises ArtifactError if one of them is damaged, as its bytes are hashed on the way, and
        OutputError where they cannot be written.
        """
        try:
            with open(self.path, "rb") as bundle:
                for file in part.files:
                    with open(folder / file.name, "wb") as target:
                        self._copied(bundle, file, target)
        except OSError as error:
            raise OutputError(
                f"{self.path}: {part.name} ({part.size / 1e6:.0f} MB) cannot be written into "
                f"{folder}: {error.strerror}; TMPDIR says where temporary files go"
            ) from error
        return folder / part.name

    def damage(self, part: Part) -> str | None:
        """What is wrong with a part's bytes, or None: all of them are read."""
        try:
            with open(self.path, "rb") as bundle:
                for file in part.files:
                    self._copied(bundle, file, None)
        except ArtifactError as error:
            return str(error)
        return None

    def _copied(self, bundle: BinaryIO, file: PartFile, target: BinaryIO | None) -> None:
        begin = self.base + file.offset
        if begin + file.size > os.fstat(bundle.fileno()).st_size:
            raise ArtifactError(f"{self.path}: {file.name} is cut short; {_REMEDY}")
        digest = hashlib.sha256()
        for chunk in _chunks(bundle, begin, file.size):
            digest.update(chunk)
            if target is not None:
                target.write(chunk)
        if digest.hexdigest() != file.sha256:
            raise ArtifactError(
                f"{self.path}: {file.name} is damaged (its SHA-256 is not the one in the index); "
                f"{_REMEDY}"
            )


def read_bundle(path: str | Path) -> Bundle:
    """Open a bundle; only its index is read and verified. Raises ArtifactError."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            text, base = _index_bytes(file)
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from error
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}; {_REMEDY}") from error
    try:
        return _opened(path, json.loads(text), base)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: its index is damaged: {error}; {_REMEDY}") from error
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}; {_REMEDY}") from error


def _index_bytes(file: BinaryIO) -> tuple[bytes, int]:
    """The text of `bundle.json`, and where it ends."""
    import zlib

    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(_SIGNATURE):
        raise ArtifactError("not a bundle")
    *_, method, _, _, crc, _, size, name, extra = _HEADER.unpack(header)
    if (method, name, extra) != (0, len(INDEX), 0) or file.read(name) != INDEX.encode():
        raise ArtifactError(f"not a bundle: its first entry is not {INDEX}")
    if size > _LARGEST_INDEX:
        raise ArtifactError("its index is damaged: it would be too large")
    text = file.read(size)
    if len(text) < size or zlib.crc32(text) != crc:
        raise ArtifactError("its index is damaged or cut short, and no part can be found")
    return text, file.tell()


def _opened(path: Path, values: Any, base: int) -> Bundle:
    fields = dict(values) if isinstance(values, dict) else {}
    found = fields.pop("format", None), fields.pop("version", None)
    if found != (FORMAT, VERSION):
        raise ArtifactError(f"no bundle of version {VERSION}: its index says {found}")
    spec = GeneratorSpec.from_dict(fields.pop("spec", None))
    return Bundle(path, spec, decode_record(fields, Index, ()), base)


def _chunks(file: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    file.seek(offset)
    while size > 0 and (chunk := file.read(min(size, _CHUNK))):
        size -= len(chunk)
        yield chunk
