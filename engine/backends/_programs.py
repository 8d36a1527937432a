"""The Programs of an artifact: those in a .gen file, or ONNX files lowered here and now."""

from __future__ import annotations

from engine.backends._spec import read_spec
from engine.backends.base import not_installed
from engine.core.artifacts import Artifact, encoder_path
from engine.core.errors import BackendUnavailableError
from engine.core.options import refuse_options
from engine.program import gen
from engine.program.entry_points import check_entry_points
from engine.program.gen import Gen


def open_programs(artifact: Artifact) -> Gen:
    """The spec and a Program for each entry point of a .gen or ONNX file.

    Raises ArtifactError, ExportError for a graph that a Program cannot express, and
    BackendUnavailableError naming the package that would be needed.
    """
    if artifact.kind == "gen":
        refuse_options(artifact.options, artifact.path, "the file describes itself")
        return gen.read(artifact.path)
    for module in ("onnx", "onnx_ir"):
        missing = not_installed(module, "onnx")
        if missing:
            raise BackendUnavailableError(f"{artifact.path} must be lowered first: {missing}")
    from engine.program.lowering import lower

    spec = read_spec(artifact)
    graphs = {"decoder": artifact.path}
    beside = encoder_path(artifact.path)
    if "encoder" in spec.entry_points and beside.is_file():
        graphs["encoder"] = beside
    spec = spec.replace(entry_points=tuple(graphs))
    programs = {name: lower(path, name=name) for name, path in graphs.items()}
    check_entry_points(spec, programs)
    return Gen(spec, programs)
