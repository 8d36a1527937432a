"""The spec of an artifact, by the lightest package that can read it."""

from __future__ import annotations

from engine.backends.base import not_installed
from engine.core.artifacts import Artifact, read_sidecar, read_spec_file, sidecar_path
from engine.core.errors import ArtifactError, BackendUnavailableError
from engine.core.options import refuse_options
from engine.core.spec import GeneratorSpec
from engine.program import gen


def read_spec(artifact: Artifact) -> GeneratorSpec:
    """Raises ArtifactError, or BackendUnavailableError naming the package that would be needed."""
    if artifact.kind == "spec":
        refuse_options(artifact.options, artifact.path, "a spec is complete")
        return read_spec_file(artifact.path)
    if artifact.kind == "bundle":
        refuse_options(artifact.options, artifact.path, "a bundle describes itself")
        from engine.core.bundle import read_bundle

        return read_bundle(artifact.path).spec
    if artifact.kind == "gen":
        refuse_options(artifact.options, artifact.path, "the file describes itself")
        return gen.read_spec(artifact.path)
    if artifact.kind == "plan":
        sidecar = read_sidecar(artifact.path)
        if sidecar is None:
            raise ArtifactError(
                f"{artifact.path}: no sidecar beside it; without one only TensorRT can read a plan"
            )
        refuse_options(artifact.options, artifact.path, "its sidecar describes it")
        return GeneratorSpec.from_dict(sidecar["spec"], sidecar_path(artifact.path))
    if artifact.kind == "onnx":
        missing = not_installed("onnxruntime", "onnx")
        if missing:
            raise BackendUnavailableError(missing)
        from engine.backends._onnx_session import open_session, session_spec

        return session_spec(open_session(artifact.path), artifact)
    missing = not_installed("torch", "torch")
    if missing:
        raise BackendUnavailableError(missing)
    from engine.models.load import load_generator

    return load_generator(artifact.path, artifact.options).spec
