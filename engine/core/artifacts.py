"""What kind of file was given, what belongs beside it, and its hash."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from engine.core.errors import ArtifactError
from engine.core.files import sha256
from engine.core.options import LoadOptions
from engine.core.spec import GeneratorSpec

ArtifactKind = Literal["checkpoint", "onnx", "gen", "plan", "spec", "bundle"]

KINDS: dict[str, ArtifactKind] = {
    ".pt": "checkpoint",
    ".pth": "checkpoint",
    ".ckpt": "checkpoint",
    ".tar": "checkpoint",
    ".bin": "checkpoint",
    ".safetensors": "checkpoint",
    ".npz": "checkpoint",
    ".pt2": "checkpoint",
    ".onnx": "onnx",
    ".gen": "gen",
    ".plan": "plan",
    ".engine": "plan",
    ".json": "spec",
    ".bundle": "bundle",
}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The file that something was made of: its name and hash."""

    name: str
    sha256: str


@dataclass(frozen=True)
class Artifact:
    """A file that holds a generator, and what the user said about it.

    part: of a bundle, the one that is meant; None leaves it to the machine.
    """

    path: Path
    kind: ArtifactKind
    options: LoadOptions = field(default_factory=LoadOptions)
    part: str | None = None

    @property
    def name(self) -> str:
        """What to call it: NAME.onnx, NAME.bundle/model.onnx."""
        return self.path.name if self.part is None else f"{self.path.name}/{self.part}"

    @property
    def location(self) -> Path:
        """What opens it again: its path, that of a part with the part's name."""
        return self.path if self.part is None else self.path / self.part

    @cached_property
    def sha256(self) -> str:
        """Hex digest of the file, or of the part of a bundle."""
        if self.part is None:
            return sha256(self.path)
        from engine.core.bundle import read_bundle

        return read_bundle(self.path).part(self.part).sha256

    def encoder(self) -> Artifact:
        """The encoder of an ONNX file or a plan: NAME.encoder.onnx beside NAME.onnx.

        Raises ArtifactError if it is not there.
        """
        path = encoder_path(self.path)
        if not path.is_file():
            raise ArtifactError(
                f"{path}: no such file; the encoder of {self.path.name} belongs there"
            )
        return Artifact(path, self.kind)


def open_artifact(path: str | Path, options: LoadOptions | None = None) -> Artifact:
    """Check that a file is there and tell its kind by its suffix. Raises ArtifactError."""
    path, part = split_part(Path(path))
    if path.is_dir():
        raise ArtifactError(f"{path} is a folder; give a model file ({_suffixes()})")
    if not path.is_file():
        raise ArtifactError(f"{path}: no such file")
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ArtifactError(
            f"{path}: unknown kind of file {path.suffix!r}; known are {_suffixes()}"
        )
    if path.stat().st_size == 0:
        raise ArtifactError(f"{path}: the file is empty")
    return Artifact(path, kind, options or LoadOptions(), part)


def split_part(path: Path) -> tuple[Path, str | None]:
    """NAME.bundle/PART as the bundle's path and the part; any other path as it is."""
    if path.parent.suffix.lower() == ".bundle" and path.parent.is_file():
        return path.parent, path.name
    return path, None


# What to say where a bundle is given to what takes one form of a model.
UNZIP = "a bundle is a ZIP archive: unzip it and give the file"


def encoder_path(path: Path) -> Path:
    """NAME.encoder.onnx for NAME.onnx, and so for plans."""
    return path.with_name(f"{path.stem}.encoder{path.suffix}")


def sidecar_path(plan: Path) -> Path:
    """NAME.plan.json for NAME.plan."""
    return plan.with_name(f"{plan.name}.json")


def read_sidecar(plan: Path) -> dict[str, Any] | None:
    """The JSON object beside a plan, or None if there is none. Raises ArtifactError if damaged."""
    path = sidecar_path(plan)
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{path}: not a readable sidecar: {error}") from error
    if not isinstance(values, dict) or "spec" not in values:
        raise ArtifactError(f"{path}: not a plan's sidecar; it lacks the key 'spec'")
    return values


def read_spec_file(path: Path) -> GeneratorSpec:
    """The spec in a JSON file of its own. Raises ArtifactError."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path}: not a readable spec: {error}") from error
    return GeneratorSpec.from_json(text, path)


def _suffixes() -> str:
    return ", ".join(KINDS)
