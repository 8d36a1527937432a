"""What is converted: an ONNX file as it is, a checkpoint exported to ONNX first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.backends._spec import read_spec
from engine.core.artifacts import Artifact, encoder_path
from engine.core.errors import OptionError
from engine.core.spec import GeneratorSpec
from export.choices import OnnxOutput, Precision
from export.command import require, wrong_kind


@dataclass(frozen=True)
class Source:
    """ONNX files by entry point, the spec of just these, and what had to be assumed."""

    graphs: Mapping[str, Path]
    spec: GeneratorSpec
    notes: tuple[str, ...] = ()


def as_onnx(
    artifact: Artifact,
    folder: Path,
    precision: Precision = "fp32",
    output: OnnxOutput = "float32",
) -> Source:
    """The graphs of a checkpoint or ONNX file; those of a checkpoint are written into `folder`.

    precision, output: of a checkpoint's graphs. Raises ArtifactError for other kinds of file,
    OptionError for an ONNX file that is to be another, and what `export_onnx` raises.
    """
    model, spec, notes = _model(artifact, folder, precision, output)
    graphs = {"decoder": model}
    if "encoder" in spec.entry_points and encoder_path(model).is_file():
        graphs["encoder"] = encoder_path(model)
    return Source(graphs, spec.replace(entry_points=tuple(graphs)), notes)


def _model(
    artifact: Artifact, folder: Path, precision: Precision, output: OnnxOutput
) -> tuple[Path, GeneratorSpec, tuple[str, ...]]:
    if artifact.kind == "onnx":
        if (precision, output) != ("fp32", "float32"):
            raise OptionError(
                f"{artifact.path}: an ONNX file has its precision and output already; give them "
                "when it is exported (python -m export.onnx), or build from the checkpoint"
            )
        return _sized(artifact, spec := read_spec(artifact), folder), spec, ()
    if artifact.kind != "checkpoint":
        raise wrong_kind(artifact, "give a checkpoint or an ONNX file to build from")
    require("torch", "onnx", "onnxscript", "onnxruntime", extra="torch,onnx")
    from engine.models.load import load_generator
    from export.convert import export_onnx

    loaded = load_generator(artifact.path, artifact.options)
    model = folder / "model.onnx"
    report = export_onnx(loaded, model, precision, output=output)
    lowered = report.graphs[0].lowered
    spec = loaded.spec if lowered is None else loaded.spec.replace(precisions=lowered.layers)
    return model, spec, loaded.assumptions


def _sized(artifact: Artifact, spec: GeneratorSpec, folder: Path) -> Path:
    """The ONNX file, or a copy in which the sizes that it leaves open are those of the spec."""
    if not artifact.options.input_shapes:
        return artifact.path
    require("onnx", extra="onnx")
    import onnx

    model = onnx.load(artifact.path)
    shapes = {item.name: item.shape for item in (spec.latent, *spec.noise)}
    for value in model.graph.input:
        # Files of early opsets list their weights among the inputs.
        for dim, size in zip(
            reversed(value.type.tensor_type.shape.dim),
            reversed(shapes.get(value.name, ())),
            strict=False,
        ):
            dim.dim_value = size
    path = folder / "sized.onnx"
    onnx.save(model, path)
    return path
