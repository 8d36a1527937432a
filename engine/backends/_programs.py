"""The Programs of an artifact: those in a .gen file, or an ONNX file lowered here and now."""

from __future__ import annotations

from engine.core.artifacts import Artifact
from engine.core.options import refuse_options
from engine.program import gen
from engine.program.gen import Gen


def open_programs(artifact: Artifact) -> Gen:
    """Raises ArtifactError, or BackendUnavailableError naming the package that would be needed."""
    refuse_options(artifact.options, artifact.path, "the file describes itself")
    return gen.read(artifact.path)
