"""The formats: how a file is made of a model, and how it is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.formats.results import KERNELS, Row
from engine.core.artifacts import Artifact, open_artifact
from engine.core.errors import ArtifactError, EngineError

KERNEL_TARGETS = (80, 89, 90, 100, 120)
Make = Callable[[Artifact, Path], Path]


@dataclass(frozen=True, slots=True)
class Form:
    """A format: how it is made of a source in a folder, and how it is opened."""

    name: str
    make: Make
    backend: str = "auto"
    precision: str = "auto"
    images: bool = False
    # Made of a network, which a stranger's ONNX file no longer is.
    of_network: bool = False


def _onnx(precision: str, output: str = "float32") -> Make:
    def make(source: Artifact, folder: Path) -> Path:
        from engine.models.load import load_generator
        from export.convert import export_onnx

        path = folder / f"{precision}-{output}.onnx"
        export_onnx(load_generator(source.path, source.options), path, precision, output=output)  # type: ignore[arg-type]
        return path

    return make


def _pt2(source: Artifact, folder: Path) -> Path:
    from engine.models.load import load_generator
    from export.program import export_program

    export_program(load_generator(source.path, source.options), folder / "x.pt2")
    return folder / "x.pt2"


def _gen(source: Artifact, folder: Path) -> Path:
    from export.pack import export_gen

    path = folder / "x.gen"
    if not path.is_file():
        export_gen(source, path)
    return path


def _bundle(source: Artifact, folder: Path) -> Path:
    from export.bundle import export_bundle

    export_bundle(source, folder / "x.bundle")
    return folder / "x.bundle"


FORMS = (
    Form("ONNX", _onnx("fp32"), "onnxruntime", of_network=True),
    Form("ONNX, uint8", _onnx("fp32", "uint8"), "onnxruntime", images=True, of_network=True),
    Form("ONNX, fp16 (auto)", _onnx("auto"), "onnxruntime", of_network=True),
    Form("ONNX, int8", _onnx("int8"), "onnxruntime", of_network=True),
    Form(".pt2", _pt2, "eager", of_network=True),
    Form(".gen, native fp32", _gen, "native", "fp32"),
    Form(".gen, native bf16", _gen, "native", "bf16"),
    Form(".gen, torch", _gen, "torch", "fp32"),
    Form("bundle", _bundle),
)
PLANS = {"plans, fp32": "fp32", "plans, fp16 (auto)": "auto"}


def plans(model: str, name: str, source: Artifact, folder: Path, precision: str) -> Row:
    """A plan for each GPU that the builder knows."""
    from engine.backends._tensorrt import import_flavour
    from export.builders import RTX, choose_builder
    from export.plan_options import BuildOptions
    from export.tensorrt import export_tensorrt

    flavour = choose_builder()
    if flavour != RTX:
        raise ArtifactError("plans of the enterprise library are for the GPU at hand")
    known = import_flavour(RTX).ComputeCapability.__members__
    targets = [target.lower() for target in known if target.startswith("SM")]
    graph = folder / f"plan-{precision}"
    graph.mkdir()
    # An ONNX file is built as it is, with its spec.
    onnx = source if source.kind == "onnx" and precision == "fp32" else None
    onnx = onnx or open_artifact(_onnx(precision)(source, graph))
    built, size, reasons = [], 0, []
    for target in targets:
        out = graph / f"{target}.plan"
        try:
            export_tensorrt(onnx, out, BuildOptions(targets=(target,)))
        except EngineError as error:
            reasons.append(f"{target}: {error}")
            continue
        built.append(target)
        size = max(size, out.stat().st_size)
    if not built:
        raise ArtifactError("; ".join(reasons))
    return Row(model, name, size, built=tuple(built), failed="; ".join(reasons))


def kernels(model: str, source: Artifact, folder: Path) -> Row:
    """The fused kernels of the model, compiled for GPUs."""
    from export.binaries import export_binaries

    out = folder / "x.kernels"
    report = export_binaries(open_artifact(_gen(source, folder)), out, targets=KERNEL_TARGETS)
    if report.notes:
        raise ArtifactError("; ".join(report.notes))
    return Row(model, KERNELS, report.size, built=tuple(f"sm{each}" for each in report.counts))
