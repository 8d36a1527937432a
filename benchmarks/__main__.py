"""`python -m benchmarks`: what `pytest benchmarks/` measures, without pytest."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.cases import MODELS, OUTPUTS, PARTS, PRECISIONS, PRESETS, narrowed
from benchmarks.machine import available_cores
from benchmarks.run import run
from training.commands import run_command


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--preset", type=click.Choice(tuple(PRESETS)), default="default", show_default=True)
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Parts of the table.")
@click.option("--model", type=click.Choice(MODELS), multiple=True)
@click.option("--layer", multiple=True, help="By name; benchmarks/layer_suite.py has them.")
@click.option("--batch", type=click.IntRange(1), multiple=True, help="Samples of a case.")
@click.option("--precision", type=click.Choice(PRECISIONS), multiple=True)
@click.option("--output", type=click.Choice(OUTPUTS), multiple=True)
@click.option("--rounds", type=click.IntRange(1), help="Interleaved rounds of each case.")
@click.option("--threads", type=click.IntRange(1), help="Of every contestant; default: all cores.")
@click.option(
    "--compiled/--no-compiled",
    default=None,
    help="Peers that compile for half a minute a case; default: in --preset full.",
)
@click.option("--kid", is_flag=True, help="Judge images by KID too, where data are in the cache.")
@click.option("--keep", is_flag=True, help="Keep the cases of -o that are not measured again.")
@click.option(
    "-o", "--out", type=click.Path(dir_okay=False, path_type=Path), help="Results as JSON."
)
def command(
    preset: str,
    only: tuple[str, ...],
    model: tuple[str, ...],
    layer: tuple[str, ...],
    batch: tuple[int, ...],
    precision: tuple[str, ...],
    output: tuple[str, ...],
    rounds: int | None,
    threads: int | None,
    compiled: bool | None,
    kid: bool,
    keep: bool,
    out: Path | None,
) -> None:
    """Measure a preset, or part of it, and write what was found after every case."""
    chosen = narrowed(
        PRESETS[preset],
        parts=only,
        models=model,
        layers=layer,
        batches=batch,
        precisions=precision,
        outputs=output,
        rounds=rounds,
        compiled=compiled,
    )
    run(chosen, threads or available_cores(), out, kid=kid, keep=keep)


if __name__ == "__main__":
    run_command(command)
