"""Checkpoint -> ONNX: `python -m export.onnx ckpt.pt`.

Batch norms are folded, the batch is free, the spec travels in the metadata, and the file is written
only if it agrees with PyTorch.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import click
from torch import nn

from engine.core.artifacts import encoder_path
from engine.core.errors import ExportError, OptionError
from engine.core.files import atomic_path
from engine.core.options import LoadOptions
from engine.models.fold import folded
from engine.models.load import LoadedGenerator, load_generator
from export import graph, half, parity
from export.command import load_options, user_errors
from export.quiet import quiet
from export.report import ExportReport, GraphReport

Precision = Literal["fp32", "fp16-weights"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16-weights")


def export_onnx(
    loaded: LoadedGenerator,
    out: str | Path,
    precision: Precision = "fp32",
    opset: int = graph.DEFAULT_OPSET,
) -> ExportReport:
    """Write OUT.onnx, and OUT.encoder.onnx for a model with an encoder: both or neither.

    Parity with PyTorch on batches of 1 and 5 is enforced. Raises ExportError, OutputError.
    """
    if precision not in PRECISIONS:
        raise OptionError(f"precision={precision!r} is unknown; known are {', '.join(PRECISIONS)}")
    out = Path(out)
    reports = []
    rounding = None
    with ExitStack() as files:
        for entry_point, module in loaded.entry_points.items():
            target = out if entry_point == "decoder" else encoder_path(out)
            temporary = files.enter_context(atomic_path(target))
            parity.check_module(module, loaded.spec, entry_point)
            with quiet():
                ready, reference = folded(module), module
            if precision == "fp16-weights":
                reference = half.round_weights(ready)
                rounding = max(rounding or 0.0, _moved(module, ready, loaded, entry_point))
            reports.append(
                _write(ready, reference, loaded, entry_point, temporary, target, precision, opset)
            )
    return ExportReport(loaded, tuple(reports), precision, parity.TOLERANCE, rounding)


def _write(
    ready: nn.Module,
    reference: nn.Module,
    loaded: LoadedGenerator,
    entry_point: str,
    temporary: Path,
    target: Path,
    precision: Precision,
    opset: int,
) -> GraphReport:
    import onnx

    model = graph.to_onnx(ready, loaded.spec, entry_point, opset)
    if precision == "fp16-weights":
        half.store_half(model)
    graph.describe(model, loaded, entry_point, precision)
    try:
        onnx.checker.check_model(model, full_check=True)
        temporary.write_bytes(model.SerializeToString())
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        raise ExportError(f"{target}: the exported graph is not valid ONNX: {error}") from error
    measured = parity.graph_error(temporary, reference, loaded.spec, entry_point)
    return GraphReport.of(entry_point, target, model, measured)


def _moved(before: nn.Module, after: nn.Module, loaded: LoadedGenerator, entry_point: str) -> float:
    inputs = graph.example_inputs(loaded.spec, entry_point, parity.BATCHES[-1])
    return parity.error(parity.run_module(after, inputs), parity.run_module(before, inputs))


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="default: beside the checkpoint")
@load_options
@click.option("--precision", type=click.Choice(PRECISIONS), default="fp32", show_default=True)
@click.option("--opset", type=int, default=graph.DEFAULT_OPSET, show_default=True)
@user_errors
def main(
    checkpoint: Path, out: Path | None, options: LoadOptions, precision: Precision, opset: int
) -> None:
    """Export the generator in CHECKPOINT to ONNX, checked against PyTorch."""
    out = out or checkpoint.with_suffix(".onnx")
    if out.suffix != ".onnx":
        raise OptionError(f"{out}: call an ONNX file NAME.onnx, so that it can be opened")
    if out == checkpoint:
        raise OptionError(f"{checkpoint} would overwrite itself; give the output: -o OUT.onnx")
    report = export_onnx(load_generator(checkpoint, options), out, precision, opset)
    for line in report.lines():
        click.echo(line)


if __name__ == "__main__":
    main()
