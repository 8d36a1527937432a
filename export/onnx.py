"""Checkpoint -> ONNX on the command line: `python -m export.onnx ckpt.pt`."""

from __future__ import annotations

from pathlib import Path

import click

from engine.core.errors import OptionError
from engine.core.options import LoadOptions
from export.choices import BF16_OPSET, DEFAULT_OPSET, OnnxOutput, Precision
from export.command import graph_options, load_options, require, user_errors


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="default: beside the checkpoint")
@load_options
@graph_options
@click.option("--opset", type=int, help=f"default: {DEFAULT_OPSET}, for bf16 {BF16_OPSET}")
@user_errors
def main(
    checkpoint: Path,
    out: Path | None,
    options: LoadOptions,
    precision: Precision,
    output: OnnxOutput,
    opset: int | None,
) -> None:
    """Export the generator in CHECKPOINT to ONNX, checked against PyTorch."""
    out = out or checkpoint.with_suffix(".onnx")
    if out.suffix != ".onnx":
        raise OptionError(f"{out}: call an ONNX file NAME.onnx, so that it can be opened")
    if out == checkpoint:
        raise OptionError(f"{checkpoint} would overwrite itself; give the output: -o OUT.onnx")
    require("torch", "onnx", "onnxscript", "onnxruntime", extra="torch,onnx")
    from engine.models.load import load_generator
    from export.convert import export_onnx

    report = export_onnx(load_generator(checkpoint, options), out, precision, opset, output)
    for line in report.lines():
        click.echo(line)


if __name__ == "__main__":
    main()
