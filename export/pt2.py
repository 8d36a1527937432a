"""Checkpoint -> `.pt2` on the command line: `python -m export.pt2 ckpt.pt`."""

from __future__ import annotations

from pathlib import Path

import click

from engine.core.errors import OptionError
from engine.core.options import LoadOptions
from export.command import load_options, require, user_errors


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="default: beside the checkpoint")
@load_options
@user_errors
def main(checkpoint: Path, out: Path | None, options: LoadOptions) -> None:
    """Export the generator in CHECKPOINT as a torch.export program, checked against PyTorch."""
    out = out or checkpoint.with_suffix(".pt2")
    if out.suffix != ".pt2":
        raise OptionError(f"{out}: call a program NAME.pt2, so that it can be opened")
    if out == checkpoint:
        raise OptionError(f"{checkpoint} would overwrite itself; give the output: -o OUT.pt2")
    require("torch", extra="torch")
    from engine.models.load import load_generator
    from export.program import export_program

    for line in export_program(load_generator(checkpoint, options), out).lines():
        click.echo(line)


if __name__ == "__main__":
    main()
