"""`generate`: samples start .. start + n of a seed, to files."""

from __future__ import annotations

from typing import Any, cast

import click

from engine.cli.labels import CYCLE, parse_labels
from engine.cli.options import (
    EngineOptions,
    artifact_argument,
    engine_options,
    labels_option,
    output_options,
    values_option,
)
from engine.sinks.destination import Destination

# With more classes a sheet of one column for each is too wide to look at.
_MOST_COLUMNS = 20


@click.command()
@artifact_argument
@click.option("-n", type=int, help="How many samples; left out, as many as --grid has cells.")
@output_options
@click.option("--seed", type=int, default=0, show_default=True, help="Which stream of samples.")
@click.option("--start", type=int, default=0, show_default=True, help="Index of the first sample.")
@labels_option
@click.option(
    "--truncation", type=float, help="Draw latents from [-T, T] only: safer, less varied."
)
@values_option
@engine_options
def generate(
    artifact: str,
    n: int | None,
    to: Destination,
    seed: int,
    start: int,
    labels: str | None,
    truncation: float | None,
    output: str | None,
    options: EngineOptions,
) -> None:
    """Sample a model into a sheet, a folder of images, arrays or shards.

    ARTIFACT is a checkpoint, an ONNX file, a .gen file, a plan, a bundle of these (or one part:
    NAME.bundle/model.onnx), or the name of a shipped model. Sample i depends on the seed and i
    alone. A sheet of a model with classes shows them in turn, one column each, unless --labels or
    --grid say otherwise.
    """
    from engine.cli.writing import write
    from engine.saving import sample_job

    n = _count(n, to.grid)
    with options.open(artifact, to) as engine:
        classes = engine.spec.classes
        if to.format == "sheet" and classes and labels is None:
            labels = CYCLE
            if len(classes) <= _MOST_COLUMNS:
                columns = min(n, len(classes))
                to = to.or_grid(columns, -(-n // columns))
        choice = parse_labels(labels, classes, n)
        job = sample_job(
            engine,
            n,
            labels_of=lambda run: choice.of(run, start),
            recorded=choice.value,
            seed=seed,
            start=start,
            truncation=truncation,
            output=cast(Any, output),
        )
        write(job, to)


def _count(n: int | None, grid: tuple[int, int] | None) -> int:
    if n is not None:
        if n < 1:
            raise click.BadParameter(f"{n} must be at least 1", param_hint="-n")
        return n
    if grid is None:
        raise click.UsageError("say how many samples: -n N")
    return grid[0] * grid[1]
