"""Checkpoint or ONNX file -> TensorRT plan: `python -m export.tensorrt ckpt.pt`.

Beside OUT.plan lie OUT.plan.json, which says what the plan's numbers mean and what built it, and
OUT.plan.log, what the builder said. A model with an encoder gets OUT.encoder.plan as well.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from engine.backends._plan_sidecar import Profile, Sidecar, as_values
from engine.core.artifacts import Artifact, SourceFile, encoder_path, open_artifact, sidecar_path
from engine.core.errors import OptionError
from engine.core.files import atomic_path
from engine.core.options import LoadOptions
from engine.core.spec import GeneratorSpec
from export.build_progress import build_progress
from export.builders import Advance, check, choose_builder
from export.choices import OnnxOutput, Precision
from export.command import graph_options, load_options, user_errors
from export.plan import Plan, build_plan
from export.plan_options import WEIGHTS, BatchProfile, BuildOptions, Weights, parse_targets
from export.report import assumed_lines
from export.source import as_onnx


@dataclass(frozen=True, slots=True)
class PlanReport:
    """One plan that was written."""

    entry_point: str
    path: Path
    plan: Plan
    notes: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For the user."""
        plan = self.plan
        return [
            f"wrote     {self.path} ({len(plan.data) / 1e6:.2f} MB), with "
            f"{sidecar_path(self.path).name}",
            f"built by  {plan.builder} {plan.builder_version} for {', '.join(plan.targets)}, "
            f"{plan.precision}",
            *(
                f"{tensor.mode:<8}  {tensor.name} {tensor.dtype} {list(tensor.shape)}"
                for tensor in plan.tensors
            ),
        ]


def export_tensorrt(
    artifact: Artifact,
    out: str | Path,
    options: BuildOptions | None = None,
    advance: Advance | None = None,
) -> list[PlanReport]:
    """Build the plans of a checkpoint or ONNX file: all of them or none.

    A checkpoint is exported to ONNX first, with its parity checked. Raises ExportError,
    BackendUnavailableError, OutputError.
    """
    options, out = options or BuildOptions(), Path(out)
    builder = choose_builder()
    check(options, builder)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as files:
        source = as_onnx(artifact, Path(folder), options.precision, options.output)
        reports = []
        for entry_point, graph in source.graphs.items():
            target = out if entry_point == "decoder" else encoder_path(out)
            temporary = files.enter_context(atomic_path(target))
            sidecar = files.enter_context(atomic_path(sidecar_path(target)))
            log = files.enter_context(atomic_path(log_path(target)))
            plan = build_plan(graph, options, builder, advance)
            temporary.write_bytes(plan.data)
            log.write_text(plan.log)
            sidecar.write_text(_sidecar(plan, source.spec, entry_point, options, artifact))
            reports.append(PlanReport(entry_point, target, plan, source.notes))
    return reports


def log_path(plan: Path) -> Path:
    """NAME.plan.log beside NAME.plan."""
    return plan.with_name(f"{plan.name}.log")


def _sidecar(
    plan: Plan, spec: GeneratorSpec, entry_point: str, options: BuildOptions, source: Artifact
) -> str:
    sidecar = Sidecar(
        entry_point=entry_point,
        sha256=hashlib.sha256(plan.data).hexdigest(),
        builder=plan.builder,
        builder_version=plan.builder_version,
        targets=plan.targets,
        precision=plan.precision,
        batch=Profile(options.batch.low, options.batch.best, options.batch.high),
        tensors=plan.tensors,
        source=SourceFile(source.path.name, source.sha256),
        weights=options.weights,
    )
    values = as_values(sidecar, spec)
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


@click.command()
@click.argument("model", metavar="CKPT|MODEL.onnx", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="default: beside the model")
@load_options
@click.option("--target", metavar="SM,SM", help="GPU generations (sm86,sm89), or portable")
@click.option("--batch", metavar="MIN:OPT:MAX", default="1:32:256", show_default=True)
@click.option("--workspace", metavar="MIB", type=click.IntRange(1), help="limit of scratch memory")
@graph_options
@click.option(
    "--weights",
    type=click.Choice(WEIGHTS),
    default="fixed",
    show_default=True,
    help="refit: can be exchanged in the plan; stripped: are not in it.",
)
@click.option(
    "--timing-cache",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Keep measurements of kernels from build to build.",
)
@user_errors
def main(
    model: Path,
    out: Path | None,
    options: LoadOptions,
    target: str | None,
    batch: str,
    workspace: int | None,
    precision: Precision,
    output: OnnxOutput,
    weights: Weights,
    timing_cache: Path | None,
) -> None:
    """Build a TensorRT plan of the generator in a checkpoint or ONNX file."""
    out = out or model.with_suffix(".plan")
    if out.suffix not in (".plan", ".engine"):
        raise OptionError(f"{out}: call a plan NAME.plan or NAME.engine, so that it can be opened")
    build = BuildOptions(
        BatchProfile.parse(batch),
        parse_targets(target),
        workspace,
        weights,
        timing_cache,
        precision,
        output,
    )
    with build_progress() as advance:
        reports = export_tensorrt(open_artifact(model, options), out, build, advance)
    for line in assumed_lines(reports[0].notes):
        click.echo(line)
    for report in reports:
        for line in report.lines():
            click.echo(line)


if __name__ == "__main__":
    main()
