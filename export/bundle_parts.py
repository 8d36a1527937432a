"""The parts of a bundle, made one after the other in a folder."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine.backends._plan_sidecar import PORTABLE
from engine.core.artifacts import Artifact, encoder_path, open_artifact, sidecar_path
from engine.core.budget import Cost
from engine.core.bundle import LeftOut
from engine.core.errors import EngineError, ExportError, OptionError
from engine.core.spec import SPEC_KEY, GeneratorSpec
from engine.program import gen
from export import builders
from export.bundle_file import Made, made
from export.choices import Precision
from export.command import require, wrong_kind
from export.plan_options import BatchProfile, BuildOptions
from export.source import as_onnx

_STEM = "model"
# The GPU at hand, or what the builder takes for itself.
HERE = "here"
_NO_INT8 = "int8 graphs are onnxruntime's: TensorRT does not read their int32 biases"
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class PartOptions:
    """What a bundle shall hold beside the plain ONNX file and the `.gen` file.

    precisions: of ONNX files and plans. targets: of plans, one each. kernels: compute capabilities
    whose kernels are compiled. batch: profile of the plans.
    """

    precisions: tuple[Precision, ...] = ("fp32",)
    targets: tuple[str, ...] = ()
    kernels: tuple[int, ...] = ()
    batch: BatchProfile = field(default_factory=BatchProfile)


@dataclass
class Parts:
    """What was made: parts, what had to be left out and why, and the model's spec."""

    spec: GeneratorSpec
    made: list[Made] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    notes: tuple[str, ...] = ()


def make_parts(artifact: Artifact, folder: Path, options: PartOptions, told: Told) -> Parts:
    """All parts of a checkpoint, an ONNX file or a `.gen` file, written into `folder`.

    A part that was asked for and cannot be made raises what its exporter raises; the `.gen` file
    of a network that Programs cannot express is left out, with the reason. told: hears of each
    part as it is begun.
    """
    if artifact.kind not in ("checkpoint", "onnx", "gen"):
        raise wrong_kind(
            artifact, "give a checkpoint, an ONNX file or a .gen file to make a bundle of"
        )
    require("onnx", "onnx_ir", "onnxruntime", extra="onnx")
    if options.targets:
        # Before the minutes that the other parts may take.
        flavour = builders.choose_builder()
        for target in options.targets:
            builders.check(_build_options(options, target), flavour)
    if artifact.kind == "gen":
        return _of_gen(artifact, folder, options, told)
    parts = (
        _of_onnx(artifact, folder, options, told)
        if artifact.kind == "onnx"
        else _of_checkpoint(artifact, folder, options, told)
    )
    plain = folder / f"{_STEM}.onnx"
    _add_gen(parts, plain, folder, told)
    _add_kernels(parts, folder, options, told)
    # Preferred first: what keeps the image budget and is quicker, what was built for one GPU.
    for precision in sorted(options.precisions, key=lambda name: name != "auto"):
        for target in sorted(options.targets, key=lambda name: name == PORTABLE):
            _add_plan(parts, folder / _name(precision, ".onnx"), target, precision, options, told)
    return parts


def _name(precision: str, end: str) -> str:
    return f"{_STEM}{end}" if precision == "fp32" else f"{_STEM}-{precision}{end}"


def _of_checkpoint(artifact: Artifact, folder: Path, options: PartOptions, told: Told) -> Parts:
    require("torch", "onnxscript", extra="torch,onnx")
    from engine.models.load import load_generator
    from export.convert import export_onnx

    loaded = load_generator(artifact.path, artifact.options)
    parts = Parts(loaded.spec, notes=tuple(loaded.assumptions))
    # The others are compared with fp32, and the `.gen` file is made of it.
    for precision in dict.fromkeys(("fp32", *options.precisions)):
        path = folder / _name(precision, ".onnx")
        told(path.name)
        report = export_onnx(loaded, path, precision)
        evidence: dict[str, float] = {}
        for graph in report.graphs:
            evidence[f"{graph.entry_point} max_error"] = graph.error
            if graph.lowered is not None:
                evidence |= _cost(graph.entry_point, graph.lowered.cost)
        notes = [
            f"{graph.entry_point}: {' '.join(line.split())}"
            for graph in report.graphs
            if graph.lowered
            for line in graph.lowered.lines()
        ]
        parts.made.append(
            made(
                [graph.path for graph in report.graphs],
                kind="onnx",
                precision=precision,
                evidence=evidence,
                notes=tuple(notes),
            )
        )
    return parts


def _of_onnx(artifact: Artifact, folder: Path, options: PartOptions, told: Told) -> Parts:
    if options.precisions != ("fp32",):
        raise OptionError(
            f"{artifact.path}: an ONNX file has its precision already; leave --precision out, or "
            "make the bundle of the checkpoint"
        )
    from engine.backends._onnx_check import check_decoder, graph_precision
    from engine.backends._onnx_session import open_session, told_precision

    told(f"{_STEM}.onnx")
    source = as_onnx(artifact, folder)
    spec, model = source.spec, folder / f"{_STEM}.onnx"
    session = open_session(artifact.path)
    check_decoder(session, spec, artifact.path)
    paths = [_described(source.graphs["decoder"], model, spec)]
    if "encoder" in source.graphs:
        paths.append(_described(source.graphs["encoder"], encoder_path(model), spec))
    parts = Parts(spec)
    precision = told_precision(session) or graph_precision(session, spec)
    parts.made.append(made(paths, kind="onnx", precision=precision))
    return parts


def _described(source: Path, target: Path, spec: GeneratorSpec) -> Path:
    """A copy that carries its spec and all its weights."""
    import onnx

    model = onnx.load(source)
    if all(entry.key != SPEC_KEY for entry in model.metadata_props):
        model.metadata_props.add(key=SPEC_KEY, value=spec.to_json())
    try:
        target.write_bytes(model.SerializeToString(deterministic=True))
    # Of more than 2 GiB.
    except ValueError as error:
        raise ExportError(f"{source}: a bundle takes parts of 2 GB: {error}") from error
    return target


def _of_gen(artifact: Artifact, folder: Path, options: PartOptions, told: Told) -> Parts:
    if options.targets or options.precisions != ("fp32",):
        raise OptionError(
            f"{artifact.path}: plans and ONNX files are made of a graph, which a .gen file no "
            "longer holds; leave --target and --precision out, or make the bundle of the "
            "checkpoint or ONNX file"
        )
    told(f"{_STEM}.gen")
    path = folder / f"{_STEM}.gen"
    shutil.copyfile(artifact.path, path)
    opened = gen.read(path)
    parts = Parts(opened.spec)
    precision = opened.source.precision
    parts.made.append(made([path], kind="gen", precision=precision, evidence=_evidence(opened)))
    parts.left_out.append(LeftOut(f"{_STEM}.onnx", "a .gen file no longer holds a graph"))
    _add_kernels(parts, folder, options, told)
    return parts


def _add_gen(parts: Parts, plain: Path, folder: Path, told: Told) -> None:
    from export.pack import export_gen

    path = folder / f"{_STEM}.gen"
    told(path.name)
    try:
        report = export_gen(open_artifact(plain), path)
    except EngineError as error:
        parts.left_out.append(LeftOut(path.name, str(error).replace(f"{folder}/", "")))
        return
    evidence = {f"{name} max_error": error for name, error in report.errors.items()}
    evidence |= _evidence(report.gen)
    precision = report.gen.source.precision
    parts.made.append(made([path], kind="gen", precision=precision, evidence=evidence))


def _add_kernels(parts: Parts, folder: Path, options: PartOptions, told: Told) -> None:
    if not options.kernels:
        return
    missing = [item.reason for item in parts.left_out if item.name == f"{_STEM}.gen"]
    if missing:
        raise OptionError(
            f"--kernels: kernels belong to a .gen part, and there is none: {missing[0]}"
        )
    require("torch", "triton", extra="triton")
    from export.binaries import export_binaries

    path = folder / f"{_STEM}.kernels"
    told(path.name)
    report = export_binaries(
        open_artifact(folder / f"{_STEM}.gen"), path, targets=options.kernels, progress=told
    )
    parts.made.append(
        made(
            [path],
            kind="kernels",
            precision="fp16",
            targets=tuple(f"sm{target}" for target in report.counts),
            evidence={f"sm{target} kernels": count for target, count in report.counts.items()},
            notes=report.notes,
        )
    )


def _add_plan(
    parts: Parts, graph: Path, target: str, precision: Precision, options: PartOptions, told: Told
) -> None:
    from export.tensorrt import export_tensorrt, log_path

    path = graph.with_name(_name(precision, f"-{target}.plan"))
    if precision == "int8":
        parts.left_out.append(LeftOut(path.name, _NO_INT8))
        return
    told(path.name)
    reports = export_tensorrt(open_artifact(graph), path, _build_options(options, target))
    plan = reports[0].plan
    files = [file for report in reports for file in _beside(report.path, log_path(report.path))]
    parts.made.append(
        made(
            files,
            kind="plan",
            precision=precision,
            targets=plan.targets,
            notes=(f"built by {plan.builder} {plan.builder_version}, {plan.precision}",),
        )
    )


def _build_options(options: PartOptions, target: str) -> BuildOptions:
    return BuildOptions(options.batch, () if target == HERE else (target,))


def _beside(plan: Path, log: Path) -> tuple[Path, ...]:
    # A builder that says nothing leaves an empty log.
    return tuple(path for path in (plan, sidecar_path(plan), log) if path.stat().st_size)


def _cost(entry_point: str, cost: Cost) -> dict[str, float]:
    values = {
        "mean_psnr_db": cost.mean_psnr_db,
        "worst_psnr_db": cost.worst_psnr_db,
        "mean_difference": cost.mean_difference,
    }
    # Equal samples are infinitely close, which JSON cannot say.
    return {
        f"{entry_point} {name}": value for name, value in values.items() if math.isfinite(value)
    }


def _evidence(opened: gen.Gen) -> Mapping[str, float]:
    found = opened.evidence
    if found is None:
        return {}
    cost = Cost(found.mean_psnr_db, found.worst_psnr_db, found.mean_difference)
    return _cost(f"decoder {found.precision}", cost)


def check_precisions(names: Sequence[str], known: Sequence[str]) -> tuple[Precision, ...]:
    """Precisions by name, each once. Raises OptionError."""
    for name in names:
        if name not in known:
            raise OptionError(f"--precision {name!r} is unknown; known are {', '.join(known)}")
    return tuple(dict.fromkeys(names))  # type: ignore[arg-type]
