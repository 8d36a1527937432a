"""Backends by name; each is imported only when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from engine.backends.base import Backend
from engine.core.artifacts import Artifact, ArtifactKind
from engine.core.errors import BackendUnavailableError, OptionError

_CLASSES = {
    "eager": ("engine.backends.eager", "EagerBackend"),
    "onnxruntime": ("engine.backends.onnxruntime", "OnnxRuntimeBackend"),
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
    backend = get(asked)
    if artifact.kind not in backend.capabilities.artifacts:
        able = [name for name in _CLASSES if artifact.kind in get(name).capabilities.artifacts]
        raise OptionError(
            f"backend {asked!r} does not open {artifact.path.name}; these do: {', '.join(able)}"
        )
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


def _best(artifact: Artifact) -> Choice:
    reasons: list[str] = []
    for name in _PREFERENCE[artifact.kind]:
        backend = get(name)
        reason = backend.unavailable()
        if reason is None:
            passed = "".join(f"; {text}" for text in reasons)
            return Choice(backend, f"first choice for this kind of file that runs here{passed}")
        reasons.append(f"{name}: {reason}")
    remedy = "; the model file it was built from runs on a CPU" if artifact.kind == "plan" else ""
    raise BackendUnavailableError(
        f"{artifact.path.name} cannot be run here: {'; '.join(reasons)}{remedy}"
    )
