"""Checkpoint or ONNX file -> `.gen` on the command line: `python -m export.gen ckpt.pt`."""

from __future__ import annotations

from pathlib import Path

import click

from engine.core.artifacts import open_artifact
from engine.core.errors import OptionError
from engine.core.options import LoadOptions
from export.choices import WEIGHT_PRECISIONS, WeightPrecision
from export.command import load_options, require, user_errors
from export.report import assumed_lines


@click.command()
@click.argument("model", metavar="CKPT|MODEL.onnx", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="default: beside the model")
@load_options
@click.option(
    "--precision", type=click.Choice(WEIGHT_PRECISIONS), default="fp32", show_default=True
)
@user_errors
def main(model: Path, out: Path | None, options: LoadOptions, precision: WeightPrecision) -> None:
    """Pack a generator into one .gen file that is sampled without PyTorch and ONNX."""
    out = out or model.with_suffix(".gen")
    if out.suffix != ".gen":
        raise OptionError(f"{out}: call the file NAME.gen, so that it can be opened")
    artifact = open_artifact(model, options)
    require("onnx", "onnx_ir", "onnxruntime", extra="onnx")
    from export.pack import export_gen

    report = export_gen(artifact, out, precision)
    for line in [*assumed_lines(report.notes), *report.lines()]:
        click.echo(line)


if __name__ == "__main__":
    main()
