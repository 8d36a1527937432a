"""Backends by name; each is imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from engine.backends.base import Backend, BackendOptions, Opened
from engine.core.artifacts import Artifact, ArtifactKind
from engine.core.errors import BackendUnavailableError, OptionError, UnsupportedError

_CLASSES = {
    "eager": ("engine.backends.eager", "EagerBackend"),
    "onnxruntime": ("engine.backends.onnxruntime", "OnnxRuntimeBackend"),
    "onnxruntime-tensorrt": ("engine.backends.onnxruntime_tensorrt", "OnnxRuntimeTensorRTBackend"),
    "tensorrt": ("engine.backends.tensorrt", "TensorRTBackend"),
    "triton": ("engine.backends.triton", "TritonBackend"),
    "torch": ("engine.backends.torch", "TorchBackend"),
    "native": ("engine.backends.native", "NativeBackend"),
    "numpy": ("engine.backends.numpy", "NumpyBackend"),
    "null": ("engine.backends.null", "NullBackend"),
}

# What `auto` tries for each kind of artifact, best first.
_PREFERENCE: dict[ArtifactKind, tuple[str, ...]] = {
    "checkpoint": ("eager",),
    "onnx": ("onnxruntime", "eager"),
    "gen": ("triton", "native", "torch", "numpy"),
    "plan": ("tensorrt",),
    "spec": ("null",),
    "bundle": ("null",),
}


@dataclass(frozen=True)
class Choice:
    """A backend for an artifact, and why it was taken."""

    backend: type[Backend]
    reason: str


@dataclass(frozen=True)
class Report:
    """One line of `doctor`."""

    name: str
    available: bool
    version: str
    reason: str
    artifacts: tuple[str, ...]
    devices: tuple[str, ...]
    precisions: tuple[str, ...]


def names() -> tuple[str, ...]:
    """Names of all backends."""
    return tuple(_CLASSES)


def get(name: str) -> type[Backend]:
    """The class of a backend. Raises OptionError for an unknown name."""
    if name not in _CLASSES:
        raise OptionError(f"unknown backend {name!r}; known are auto, {', '.join(_CLASSES)}")
    module, attribute = _CLASSES[name]
    backend: type[Backend] = getattr(import_module(module), attribute)
    return backend


def doctor() -> tuple[Report, ...]:
    """Every backend with its version, or the reason it cannot run."""
    reports = []
    for name in _CLASSES:
        backend = get(name)
        reason = backend.unavailable()
        can = backend.capabilities
        reports.append(
            Report(
                name=name,
                available=reason is None,
                version=backend.version(),
                reason=reason or "",
                artifacts=can.artifacts,
                devices=can.devices,
                precisions=can.precisions,
            )
        )
    return tuple(reports)


def choose(artifact: Artifact, asked: str) -> Choice:
    """The backend asked for, or for `auto` the best that runs here; nothing is tried in silence.

    Raises BackendUnavailableError with the reasons, OptionError for a backend that does not open
    this kind of file.
    """
    if asked == "auto":
        return _best(artifact)
    backend = _fitting(artifact, asked)
    reason = backend.unavailable()
    if reason is not None:
        able = [
            name
            for name in _CLASSES
            if artifact.kind in get(name).capabilities.artifacts and get(name).unavailable() is None
        ]
        raise BackendUnavailableError(
            f"backend {asked!r} cannot run here: {reason}; these would open "
            f"{artifact.path.name}: {', '.join(able)}"
        )
    return Choice(backend, "asked for")


def open_best(
    artifact: Artifact,
    asked: str,
    options: BackendOptions,
    as_onnx: Callable[[Artifact], Artifact],
    cleanup: ExitStack,
) -> Opened:
    """The artifact opened on the backend asked for, or for `auto` on the first that takes it.

    as_onnx: makes an ONNX file of a checkpoint, for backends that want one. cleanup: closed with
    the engine. Raises as `choose` does, and what the backend raises.
    """

    def open_file(file: Artifact) -> tuple[Backend, str]:
        return _open(file, asked, options, as_onnx)

    if asked != "auto":
        # An unknown name is the same mistake for every part of a bundle.
        get(asked)
    if artifact.kind == "bundle" and asked != "null":
        from engine.backends._bundled import open_bundle

        return open_bundle(artifact, partial(_candidates, asked=asked), open_file, cleanup)
    return Opened(*open_file(artifact), artifact, artifact)


def _candidates(artifact: Artifact, asked: str) -> dict[str, type[Backend]]:
    """What may open a kind of file, best first. Raises OptionError if that was not asked for."""
    if asked == "auto":
        return {name: get(name) for name in _PREFERENCE[artifact.kind]}
    return {asked: _fitting(artifact, asked)}


def _fitting(artifact: Artifact, asked: str) -> type[Backend]:
    """The backend asked for. Raises OptionError if it does not open this kind of file."""
    backend = get(asked)
    if artifact.kind not in backend.capabilities.artifacts:
        able = [name for name in _CLASSES if artifact.kind in get(name).capabilities.artifacts]
        raise OptionError(
            f"backend {asked!r} does not open {artifact.path.name}; these do: {', '.join(able)}"
        )
    return backend


def _open(
    artifact: Artifact,
    asked: str,
    options: BackendOptions,
    as_onnx: Callable[[Artifact], Artifact],
) -> tuple[Backend, str]:
    if asked != "auto":
        choice = choose(artifact, asked)
        return _opened(choice.backend, artifact, options, as_onnx), choice.reason
    reasons: list[str] = []
    unsuited: list[type[Backend]] = []
    for name in _PREFERENCE[artifact.kind]:
        backend = get(name)
        reason = backend.unavailable()
        if reason is None:
            reason = backend.unsuited(options)
            unsuited += [backend] if reason else []
        if reason is None:
            try:
                opened = _opened(backend, artifact, options, as_onnx)
            except UnsupportedError as error:
                reason = str(error)
            else:
                return opened, _reason(reasons)
        reasons.append(f"{name}: {reason}")
    if unsuited:
        # Its own error says what would be possible.
        return _opened(unsuited[0], artifact, options, as_onnx), _reason(reasons)
    raise _none(artifact, reasons)


def _opened(
    backend: type[Backend],
    artifact: Artifact,
    options: BackendOptions,
    as_onnx: Callable[[Artifact], Artifact],
) -> Backend:
    if artifact.kind == "checkpoint" and backend.capabilities.through_onnx:
        artifact = as_onnx(artifact)
    return backend.open(artifact, options)


def _best(artifact: Artifact) -> Choice:
    reasons: list[str] = []
    for name in _PREFERENCE[artifact.kind]:
        backend = get(name)
        reason = backend.unavailable()
        if reason is None:
            return Choice(backend, _reason(reasons))
        reasons.append(f"{name}: {reason}")
    raise _none(artifact, reasons)


def _reason(passed: list[str]) -> str:
    return "; ".join(("first choice for this kind of file that runs here", *passed))


def _none(artifact: Artifact, reasons: list[str]) -> BackendUnavailableError:
    remedy = "; the model file it was built from runs on a CPU" if artifact.kind == "plan" else ""
    return BackendUnavailableError(
        f"{artifact.path.name} cannot be run here: {'; '.join(reasons)}{remedy}"
    )
