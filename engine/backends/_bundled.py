"""The part of a bundle that runs here: plans before `.gen` before ONNX, and why the others do not.

A part is written out and hashed only when something here could run it. One that is damaged is
passed over, and told.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from engine.backends._cuda import compute_capability, no_gpu_reason
from engine.backends.base import Backend, Opened
from engine.core.artifacts import Artifact, ArtifactKind
from engine.core.bundle import DAMAGED, Bundle, Part, read_bundle
from engine.core.errors import (
    ArtifactError,
    BackendUnavailableError,
    EngineError,
    OptionError,
)
from engine.core.options import refuse_options

_ORDER: tuple[ArtifactKind, ...] = ("plan", "gen", "onnx")


def open_bundle(
    artifact: Artifact,
    backends_for: Callable[[Artifact], dict[str, type[Backend]]],
    open_part: Callable[[Artifact], tuple[Backend, str]],
    cleanup: ExitStack,
) -> Opened:
    """The best part that runs here, or the part that is meant.

    backends_for: those that may open a file, by name; raises OptionError where none may. open_part:
    opens the file of a part, which lives until `cleanup` is closed. Raises ArtifactError,
    OptionError and BackendUnavailableError, with the reasons of all parts.
    """
    bundle = read_bundle(artifact.path)
    refuse_options(artifact.options, artifact.path, "a bundle describes itself")
    parts = _parts(bundle, artifact.part)
    folder = _folder(bundle, cleanup)
    passed: dict[str, EngineError] = {}
    damaged: list[str] = []
    for part in parts:
        file = Artifact(folder / part.name, _kind(part))
        try:
            _check_runs(backends_for(file))
            _extract(bundle, part, folder, damaged)
            backend, reason = open_part(file)
        except (ArtifactError, BackendUnavailableError, OptionError) as error:
            passed[part.name] = _of_bundle(error, bundle, file)
            continue
        told = _reason(part, reason, passed)
        return Opened(backend, told, _named(artifact, part), file, tuple(damaged))
    raise _nothing(bundle, passed)


def _parts(bundle: Bundle, name: str | None) -> list[Part]:
    if name is None:
        found = [part for part in bundle.index.parts if part.kind in _ORDER]
        if not found:
            raise ArtifactError(f"{bundle.path}: there is no model in it")
        return sorted(found, key=lambda part: (_ORDER.index(_kind(part)), not _made_for_here(part)))
    part = bundle.part(name)
    if part.kind not in _ORDER:
        raise ArtifactError(
            f"{bundle.path}: {name} holds kernels, which are used with a .gen part beside them"
        )
    return [part]


def _kind(part: Part) -> ArtifactKind:
    (kind,) = (kind for kind in _ORDER if kind == part.kind)
    return kind


def _folder(bundle: Bundle, cleanup: ExitStack) -> Path:
    """A temporary folder, called like the bundle."""
    import tempfile

    parent = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="generator-engine-"))
    folder = Path(parent) / bundle.path.name
    folder.mkdir()
    return folder


def _of_bundle(error: EngineError, bundle: Bundle, file: Artifact) -> EngineError:
    """An error about a part as one that does not name the folder it was written into."""
    text = (
        str(error).removeprefix(f"{file.path}: ").replace(str(file.path.parent), str(bundle.path))
    )
    return type(error)(text)


def _check_runs(candidates: dict[str, type[Backend]]) -> None:
    """Raise BackendUnavailableError for a part that nothing here can run."""
    reasons = {name: backend.unavailable() for name, backend in candidates.items()}
    if all(reasons.values()):
        told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise BackendUnavailableError(told)


def _made_for_here(part: Part) -> bool:
    """Whether it was built for just this GPU; what else it runs on, its backend knows."""
    return no_gpu_reason() is None and f"sm{compute_capability()}" in part.targets


def _extract(bundle: Bundle, part: Part, folder: Path, damaged: list[str]) -> None:
    """Write the part's files, and compiled kernels beside a `.gen` where a GPU launches them."""
    try:
        path = bundle.extract(part, folder)
    except ArtifactError as error:
        damaged.append(f"{DAMAGED}{error}")
        raise
    if part.kind == "gen" and no_gpu_reason() is None:
        for kernels in bundle.index.parts:
            if kernels.kind == "kernels" and Path(kernels.name).stem == path.stem:
                try:
                    bundle.extract(kernels, folder)
                except ArtifactError as error:
                    (folder / kernels.name).unlink(missing_ok=True)
                    damaged.append(f"{DAMAGED}{error}; kernels are compiled here instead")


def _named(artifact: Artifact, part: Part) -> Artifact:
    return Artifact(artifact.path, "bundle", part=part.name)


def _reason(part: Part, reason: str, passed: dict[str, EngineError]) -> str:
    return "; ".join((f"part {part.name}", reason, *_told(passed)))


def _nothing(bundle: Bundle, passed: dict[str, EngineError]) -> EngineError:
    """One error for all; of the kind that the parts agree on."""
    if len(passed) == 1:
        ((name, error),) = passed.items()
        return type(error)(f"{bundle.path}/{name}: {error}")
    kinds = {type(error) for error in passed.values()}
    kind = kinds.pop() if len(kinds) == 1 else BackendUnavailableError
    return kind(f"{bundle.path}: no part of it can be run here: {'; '.join(_told(passed))}")


def _told(passed: dict[str, EngineError]) -> list[str]:
    """Each reason once, with the parts that it holds for."""
    names: dict[str, list[str]] = {}
    for name, error in passed.items():
        names.setdefault(str(error), []).append(name)
    return [f"{', '.join(parts)}: {reason}" for reason, parts in names.items()]
