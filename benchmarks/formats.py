"""`python -m benchmarks.formats` takes models through every format and holds each against PyTorch.

    python -m benchmarks.formats -o benchmarks/formats.json      three minutes
    python -m benchmarks.formats --read benchmarks/formats.json --check README.md

Samples come from the same latents and labels everywhere; a VAE's encoder is held against PyTorch as
well. TensorRT plans are built for every GPU that the builder knows, and cannot be run without one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks import face
from benchmarks.machine import describe_machine
from benchmarks.markdown import table
from benchmarks.model_networks import checkpoint, source_of
from benchmarks.reporting import words
from benchmarks.reporting.readme import difference, spliced
from benchmarks.results import Machine
from engine import Engine, zoo
from engine.core.artifacts import open_artifact
from engine.core.budget import Cost
from engine.core.errors import ArtifactError, EngineError, OptionError
from engine.core.files import write_text
from engine.core.records import ArrayTable, decode_record, encode_record
from engine.images import to_uint8
from training.commands import run_command

FORMAT = "generator-engine formats"
SECTION = "formats"
_SAMPLES = 64
_KERNEL_TARGETS = (80, 89, 90, 100, 120)


@dataclass(frozen=True, slots=True)
class Row:
    """A model in one form, against PyTorch in float32.

    max_error: largest difference of outputs (of decoder and encoder) over the width of the output
        range. equal: share of equal uint8 values. built: for which GPUs, where nothing could be
        run. failed: why there is nothing, or nothing for some GPUs.
    """

    model: str
    form: str
    size_bytes: int = 0
    max_error: float | None = None
    mean_psnr_db: float | None = None
    worst_psnr_db: float | None = None
    equal: float | None = None
    built: tuple[str, ...] = ()
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Formats:
    """All rows of one run."""

    machine: Machine
    samples: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """A format: how it is made of a source in a folder, and how it is opened."""

    name: str
    make: Callable[[Path, Path], Path]
    backend: str = "auto"
    precision: str = "auto"
    images: bool = False


def _onnx(precision: str, output: str = "float32") -> Callable[[Path, Path], Path]:
    def make(source: Path, folder: Path) -> Path:
        from engine.models.load import load_generator
        from export.convert import export_onnx

        path = folder / f"{precision}-{output}.onnx"
        export_onnx(load_generator(source), path, precision, output=output)  # type: ignore[arg-type]
        return path

    return make


def _pt2(source: Path, folder: Path) -> Path:
    from engine.models.load import load_generator
    from export.program import export_program

    export_program(load_generator(source), folder / "x.pt2")
    return folder / "x.pt2"


def _gen(source: Path, folder: Path) -> Path:
    from export.pack import export_gen

    path = folder / "x.gen"
    if not path.is_file():
        export_gen(open_artifact(source), path)
    return path


def _bundle(source: Path, folder: Path) -> Path:
    from export.bundle import export_bundle

    export_bundle(open_artifact(source), folder / "x.bundle")
    return folder / "x.bundle"


FORMS = (
    Form("ONNX", _onnx("fp32"), "onnxruntime"),
    Form("ONNX, uint8", _onnx("fp32", "uint8"), "onnxruntime", images=True),
    Form("ONNX, fp16 (auto)", _onnx("auto"), "onnxruntime"),
    Form("ONNX, int8", _onnx("int8"), "onnxruntime"),
    Form(".pt2", _pt2, "eager"),
    Form(".gen, native fp32", _gen, "native", "fp32"),
    Form(".gen, native bf16", _gen, "native", "bf16"),
    Form(".gen, torch", _gen, "torch", "fp32"),
    Form("bundle", _bundle),
)
_PLANS = {"plans, fp32": "fp32", "plans, fp16 (auto)": "auto"}
_KERNELS = "kernels"


def measure(models: Sequence[str], samples: int, told: Callable[[str], None]) -> Formats:
    """Every model in every form. What fails is a row that says why."""
    rows: list[Row] = []
    for model in models:
        with tempfile.TemporaryDirectory(prefix="generator-engine-") as folder:
            source = checkpoint(model)
            with Engine(source, backend="eager", precision="fp32") as reference:
                for form in FORMS:
                    told(f"{model}: {form.name}")
                    with _reasons(rows, model, form.name):
                        rows.append(_row(model, form, source, Path(folder), reference, samples))
            for name, precision in _PLANS.items():
                told(f"{model}: {name}")
                with _reasons(rows, model, name):
                    rows.append(_plans(model, name, source, Path(folder), precision))
            told(f"{model}: {_KERNELS}")
            with _reasons(rows, model, _KERNELS):
                rows.append(_kernels(model, source, Path(folder)))
    return Formats(describe_machine(), samples, tuple(rows))


@contextmanager
def _reasons(rows: list[Row], model: str, form: str) -> Iterator[None]:
    try:
        yield
    except EngineError as error:
        rows.append(Row(model, form, failed=" ".join(str(error).split())))


def _row(
    model: str, form: Form, source: Path, folder: Path, reference: Engine, samples: int
) -> Row:
    path = form.make(source, folder)
    z = reference.latents(samples)
    labels = reference.labels(samples)
    with Engine(path, backend=form.backend, precision=form.precision) as engine:
        values = reference.decode(z, labels, output="float32")
        images = to_uint8(values, reference.spec.output.range)
        if form.images:
            made = engine.decode(z, labels, output="uint8")
            error = None
        else:
            floats = engine.decode(z, labels, output="float32")
            made = to_uint8(floats, reference.spec.output.range)
            low, high = reference.spec.output.range
            error = float(np.abs(floats.astype(np.float64) - values).max() / (high - low))
        both = all("encoder" in side.spec.entry_points for side in (reference, engine))
        if both and error is not None:
            theirs, ours = (side.posterior(images, labels) for side in (reference, engine))
            error = max(error, *(_relative(a, b) for a, b in zip(ours, theirs, strict=True)))
        cost = Cost.of(made, images)
    return Row(
        model,
        form.name,
        path.stat().st_size,
        error,
        cost.mean_psnr_db,
        cost.worst_psnr_db,
        float((made == images).mean()),
    )


def _relative(ours: Any, theirs: Any) -> float:
    return float((np.abs(ours - theirs) / np.maximum(1.0, np.abs(theirs))).max())


def _plans(model: str, name: str, source: Path, folder: Path, precision: str) -> Row:
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
    onnx = _onnx(precision)(source, graph)
    built, size, reasons = [], 0, []
    for target in targets:
        out = graph / f"{target}.plan"
        try:
            export_tensorrt(open_artifact(onnx), out, BuildOptions(targets=(target,)))
        except EngineError as error:
            reasons.append(f"{target}: {error}")
            continue
        built.append(target)
        size = max(size, out.stat().st_size)
    if not built:
        raise ArtifactError("; ".join(reasons))
    return Row(model, name, size, built=tuple(built), failed="; ".join(reasons))


def _kernels(model: str, source: Path, folder: Path) -> Row:
    """The fused kernels of the model, compiled for GPUs."""
    from export.binaries import export_binaries

    out = folder / "x.kernels"
    report = export_binaries(open_artifact(_gen(source, folder)), out, targets=_KERNEL_TARGETS)
    if report.notes:
        raise ArtifactError("; ".join(report.notes))
    return Row(model, _KERNELS, report.size, built=tuple(f"sm{each}" for each in report.counts))


def section(found: Formats) -> str:
    """The README's table: a row for each form, a column for each model."""
    models = list(dict.fromkeys(row.model for row in found.rows))
    forms = list(dict.fromkeys(row.form for row in found.rows))
    cells = {(row.model, row.form): _cell(row) for row in found.rows}
    rows = [[form, *(cells.get((model, form), "") for model in models)] for form in forms]
    sources = "; ".join(f"{model}: {source_of(model)}" for model in models if model == face.NAME)
    return "\n\n".join(
        (
            f"{words.machine(found.machine)}; {words.versions(found.machine)}. {found.samples} "
            "samples of seed 0 against PyTorch in float32: the largest error over the width of the "
            "output range, of decoder and encoder; from 1e-4 on PSNR of the uint8 images, mean / "
            f"worst sample. Plans and kernels: the GPUs that they were built for. {sources}.",
            table(["", *models], rows),
        )
    )


def _cell(row: Row) -> str:
    if row.built:
        return ", ".join(row.built)
    if row.failed:
        return "refused"
    if row.max_error is None or row.mean_psnr_db is None or row.worst_psnr_db is None:
        return f"{100 * (row.equal or 0):.2f} % of values equal"
    if row.max_error == 0:
        return "equal"
    if row.max_error < 1e-4:
        return f"{row.max_error:.0e}"
    return f"{row.mean_psnr_db:.1f} / {row.worst_psnr_db:.1f} dB"


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="JSON file.")
@click.option("--model", "models", multiple=True, help="By default all shipped ones, and the face.")
@click.option("-n", "samples", type=click.IntRange(1), default=_SAMPLES, show_default=True)
@click.option("--read", type=click.Path(dir_okay=False, path_type=Path), help="Measure nothing.")
@click.option("--readme", type=click.Path(dir_okay=False, path_type=Path), help="Write its table.")
@click.option("--check", type=click.Path(dir_okay=False, path_type=Path), help="Compare its table.")
def command(
    out: Path | None,
    models: tuple[str, ...],
    samples: int,
    read: Path | None,
    readme: Path | None,
    check: Path | None,
) -> None:
    """Take models through every format."""
    if read is not None:
        found = _read(read)
    else:
        names = models or (*zoo.names(), face.NAME)
        found = measure(names, samples, lambda line: click.echo(line, err=True))
    if out is not None:
        values = {"format": FORMAT, **encode_record(found, ArrayTable())}
        write_text(out, json.dumps(values, indent=1) + "\n")
    text = section(found)
    if readme is not None:
        write_text(readme, spliced(readme.read_text(), text, SECTION))
    if check is not None and difference(check.read_text(), text, SECTION):
        raise OptionError(
            f"{check} says another table; python -m benchmarks.formats --readme {check}"
        )
    if readme is None and check is None:
        click.echo(text)
    for row in found.rows:
        if row.failed:
            click.echo(f"{row.model}, {row.form}: {row.failed}", err=True)


def _read(path: Path) -> Formats:
    try:
        values = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: cannot be read: {error}") from error
    if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
        raise ArtifactError(f"{path}: not a result of benchmarks.formats")
    found: Formats = decode_record(values, Formats, ())
    return found


def main() -> None:
    """From the command line."""
    run_command(command)


if __name__ == "__main__":
    main()
