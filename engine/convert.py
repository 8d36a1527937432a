"""A checkpoint opened by a backend that wants ONNX: exported to a temporary file on the way."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from engine.backends.base import not_installed
from engine.core.artifacts import Artifact, open_artifact
from engine.core.errors import BackendUnavailableError


def checkpoint_as_onnx(artifact: Artifact, cleanup: ExitStack) -> Artifact:
    """The same model as an ONNX file, parity checked; it lives until `cleanup` is closed."""
    for module in ("torch", "onnx", "onnxscript"):
        missing = not_installed(module, "torch,onnx")
        if missing:
            raise BackendUnavailableError(f"{artifact.path} must be exported first: {missing}")
    import tempfile

    from engine.models.load import load_generator
    from export.convert import export_onnx

    folder = cleanup.enter_context(tempfile.TemporaryDirectory(prefix="generator-engine-"))
    target = Path(folder) / f"{artifact.path.stem}.onnx"
    export_onnx(load_generator(artifact.path, artifact.options), target)
    return open_artifact(target)
