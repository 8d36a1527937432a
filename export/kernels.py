"""Artifact -> binaries on the command line: `python -m export.kernels x.gen --target sm90`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast

import click

from engine.core.artifacts import open_artifact
from engine.core.errors import OptionError
from engine.core.options import LoadOptions
from engine.program.plan import parse_target
from engine.program.planning.types import Operand
from export.command import load_options, require, user_errors


@click.command()
@click.argument("artifact", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="default: beside the artifact")
@click.option("--target", required=True, metavar="SM,SM", help="GPUs: sm80,sm90")
@click.option("--precision", type=click.Choice(("fp16", "bf16", "fp32")), default="fp16")
@click.option("--batch", type=click.IntRange(1), default=1024, show_default=True)
@load_options
@user_errors
def main(
    artifact: Path,
    out: Path | None,
    target: str,
    precision: str,
    batch: int,
    options: LoadOptions,
) -> None:
    """Compile every kernel of ARTIFACT for the GPUs of --target; no GPU is needed."""
    out = out or artifact.with_suffix(".kernels")
    if out.suffix != ".kernels":
        raise OptionError(f"{out}: call the file NAME.kernels, so that it can be found")
    targets = parse_kernel_targets(target)
    opened = open_artifact(artifact, options)
    require("torch", "triton", extra="triton")
    if os.environ.get("TRITON_INTERPRET"):
        raise OptionError("there is no compiler under TRITON_INTERPRET; unset it")
    from export.binaries import export_binaries

    report = export_binaries(
        opened,
        out,
        targets=targets,
        operand=cast(Operand, precision),
        batch=batch,
        progress=lambda line: click.echo(line, err=True),
    )
    for line in report.lines():
        click.echo(line)


def parse_kernel_targets(text: str) -> list[int]:
    """Compute capabilities, each once. Raises OptionError."""
    from kernels.compile import ARCHITECTURES

    targets = list(dict.fromkeys(parse_target(part.strip()) for part in text.split(",")))
    for target in targets:
        if target not in ARCHITECTURES:
            known = ", ".join(f"sm{each}" for each in ARCHITECTURES)
            raise OptionError(f"--target sm{target} is not one that kernels are made for: {known}")
    return targets


if __name__ == "__main__":
    main()
