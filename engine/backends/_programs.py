"""The Programs of an artifact: those in a .gen file, or ONNX files lowered here and now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.backends._spec import read_spec
from engine.backends.base import not_installed
from engine.core.artifacts import UNZIP, Artifact, encoder_path
from engine.core.errors import ArtifactError, BackendUnavailableError
from engine.core.options import refuse_options
from engine.core.spec import GeneratorSpec
from engine.program import gen
from engine.program.entry_points import check_entry_points
from engine.program.gen import Gen
from engine.program.graph import Program


def open_programs(artifact: Artifact) -> Gen:
    """The spec and a Program for each entry point of a .gen or ONNX file.

    Raises ArtifactError, ExportError for a graph that a Program cannot express, and
    BackendUnavailableError naming the package that would be needed.
    """
    if artifact.kind == "gen":
        refuse_options(artifact.options, artifact.path, "the file describes itself")
        return gen.read(artifact.path)
    if artifact.kind != "onnx":
        what = f"; {UNZIP}" if artifact.kind == "bundle" else ""
        raise ArtifactError(f"{artifact.path}: no Program; give a .gen or ONNX file{what}")
    for module in ("onnx", "onnx_ir"):
        missing = not_installed(module, "onnx")
        if missing:
            raise BackendUnavailableError(f"{artifact.path} must be lowered first: {missing}")
    spec = read_spec(artifact)
    graphs = {"decoder": artifact.path}
    beside = encoder_path(artifact.path)
    if "encoder" in spec.entry_points and beside.is_file():
        graphs["encoder"] = beside
    spec = spec.replace(entry_points=tuple(graphs))
    return Gen(spec, lowered(artifact, spec, graphs))


def lowered(
    artifact: Artifact, spec: GeneratorSpec, graphs: Mapping[str, Path]
) -> dict[str, Program]:
    """The Programs of an artifact's ONNX graphs, by entry point.

    Raises ExportError for a graph that a Program cannot express, and ArtifactError for one that is
    not what its spec says.
    """
    from engine.program.lowering import lower

    # A stranger's graph may leave sizes open, which the user has fixed.
    sized = artifact.kind == "onnx" and bool(artifact.options.input_shapes)
    # Vectors have no size that could be open, and beside one image no batch.
    inputs = [spec.latent, *(item for item in spec.noise if len(item.shape) > 1)]
    shapes = {item.name: (-1, *item.shape) for item in inputs} if sized else None
    programs = {
        name: lower(path, name=name, input_shapes=shapes if name == "decoder" else None)
        for name, path in graphs.items()
    }
    try:
        check_entry_points(spec, programs)
    except ArtifactError as error:
        raise ArtifactError(
            f"{artifact.path}: {error}; correct the spec that it carries, or export it again"
        ) from error
    return programs
