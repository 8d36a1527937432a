"""What made a set of samples, as versioned JSON: enough to make the same set again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.core.errors import ArtifactError
from engine.core.files import write_text

MANIFEST_FORMAT = "generator-manifest"
MANIFEST_VERSION = 2
FOLDER_MANIFEST = "manifest.json"

# Characters of a value that is shown as a whole.
_SHOWN_WHOLE = 60

# What a run does to files, not what decides its samples.
_PROGRESS_FIELDS = ("complete", "files")


@dataclass(frozen=True, slots=True)
class FileRecord:
    """Written files: a name, a hash of bytes, the first sample inside and how many there are.

    Single images are recorded a thousand at a time: the name is then `{00000000..00001023}.png`,
    as a shell expands it, and the hash is that of the files one after the other.
    """

    name: str
    sha256: str
    index: int | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Samples start .. start + n - 1 of one seed, made by one engine.

    artifact, sha256: file name and hash of the model.
    options: how to read the model, where it does not say so itself.
    labels: what was asked for (a class, one class a sample, 'random', 'cycle').
    latents: where they come from instead of a seed ('sha256:...' of a file, an interpolation).
    shape, dtype: of one written sample.
    written_as, coding, encoder, shard_size: how files were made of them (`engine.sinks.write`).
    versions: of what computed the samples.
    """

    artifact: str
    sha256: str
    backend: str
    device: str
    precision: str
    batch_size: int
    n: int
    shape: tuple[int, ...]
    dtype: str = "uint8"
    seed: int | None = 0
    start: int = 0
    truncation: float | None = None
    labels: str | int | tuple[int, ...] | None = None
    latents: str | None = None
    written_as: str | None = None
    coding: Mapping[str, Any] = field(default_factory=dict)
    encoder: str | None = None
    shard_size: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    complete: bool = True
    files: tuple[FileRecord, ...] = ()

    def replace(self, **changes: Any) -> Manifest:
        """A copy with the given fields changed."""
        return dataclasses.replace(self, **changes)

    def differences(self, other: Manifest) -> list[str]:
        """Settings that decide the samples and are not the same, as 'seed: 0, now 1'."""
        return [
            difference
            for name, mine, theirs in zip(*_settings(self, other), strict=True)
            for difference in _differences(name, mine, theirs)
        ]

    def to_json(self) -> str:
        """JSON text, one line for each record; `from_json` gives back an equal manifest."""
        values = {
            "format": MANIFEST_FORMAT,
            "version": MANIFEST_VERSION,
            **dataclasses.asdict(self),
        }
        lines = [_dumps(_present(record)) for record in values.pop("files")]
        settings = ",\n ".join(f"{_dumps(key)}: {_dumps(value)}" for key, value in values.items())
        files = ",\n  ".join(lines)
        return f'{{\n {settings},\n "files": [\n  {files}\n ]\n}}\n'

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read `to_json` text. Raises ArtifactError on damage or another version."""
        try:
            values = json.loads(text)
            kind, version = values.pop("format"), values.pop("version")
            if (kind, version) != (MANIFEST_FORMAT, MANIFEST_VERSION):
                raise ArtifactError(
                    f"manifest is {kind!r} version {version!r}, "
                    f"this package reads {MANIFEST_FORMAT!r} version {MANIFEST_VERSION}"
                )
            values["shape"] = tuple(values["shape"])
            if isinstance(values["labels"], list):
                values["labels"] = tuple(values["labels"])
            values["files"] = tuple(FileRecord(**record) for record in values["files"])
            return cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ArtifactError(f"manifest is damaged: {error}") from error


def read_manifest(path: Path) -> Manifest | None:
    """The manifest at `path`, None if there is no such file. Raises ArtifactError."""
    try:
        return Manifest.from_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (ArtifactError, OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path}: {error}") from error


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write in one step. Raises OutputError."""
    write_text(path, manifest.to_json())


def sidecar(path: Path) -> Path:
    """Where the manifest of a single file stands: `samples.npy.manifest.json`."""
    return path.with_name(f"{path.name}.manifest.json")


def _settings(*manifests: Manifest) -> list[list[Any]]:
    names = [
        item.name for item in dataclasses.fields(Manifest) if item.name not in _PROGRESS_FIELDS
    ]
    return [names, *([getattr(manifest, name) for name in names] for manifest in manifests)]


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _present(record: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in record.items() if value is not None}


def _differences(name: str, mine: Any, theirs: Any) -> Iterator[str]:
    """What is not the same; of what is too long to be shown, the parts that are not."""
    if mine == theirs:
        return
    whole = max(len(_dumps(mine)), len(_dumps(theirs))) <= _SHOWN_WHOLE
    if not whole and isinstance(mine, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*mine, *theirs}):
            yield from _differences(f"{name}.{key}", mine.get(key), theirs.get(key))
    elif not whole and isinstance(mine, tuple) and isinstance(theirs, tuple):
        pairs = enumerate(zip(mine, theirs, strict=False))
        place = next((place for place, (one, other) in pairs if one != other), None)
        if place is None:
            yield f"{name}: {_show(mine)}, now {_show(theirs)}"
        else:
            yield f"{name}[{place}]: {_show(mine[place])}, now {_show(theirs[place])}"
    else:
        yield f"{name}: {_show(mine)}, now {_show(theirs)}"


def _show(value: Any) -> str:
    text = _dumps(value)
    is_long = isinstance(value, tuple) and len(text) > _SHOWN_WHOLE
    return f"{len(value)} values" if is_long else text
