"""`generate`: samples start .. start + n of a seed, to files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import click

from engine.cli.destination import Destination
from engine.cli.labels import CYCLE, parse_labels
from engine.cli.options import (
    EngineOptions,
    artifact_argument,
    engine_options,
    labels_option,
    output_options,
    values_option,
)

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
    """Sample a model into a sheet, a folder of PNGs or an array file.

    ARTIFACT is a checkpoint, an ONNX file, a plan, or the name of a shipped model. Sample i depends
    on the seed and i alone. A sheet of a model with classes shows them in turn, one column each,
    unless --labels or --grid say otherwise.
    """
    from engine.cli.writing import Job, describe, write

    n = _count(n, to.grid)
    with options.open(artifact) as engine:
        classes = engine.spec.classes
        if to.format == "sheet" and classes and labels is None:
            labels = CYCLE
            if len(classes) <= _MOST_COLUMNS:
                columns = min(n, len(classes))
                to = to.or_grid(columns, -(-n // columns))
        choice = parse_labels(labels, classes, n)
        settings: dict[str, Any] = {"seed": seed, "truncation": truncation}
        # Checks the arguments and makes nothing: before a file or folder is begun.
        engine.stream(1, start=start, output=cast(Any, output), **settings)

        def make(run: range) -> Iterator[Any]:
            return engine.stream(
                len(run),
                start=run.start,
                labels=choice.of(run, start),
                output=cast(Any, output),
                **settings,
            )

        def chosen() -> Any:
            everything = range(start, start + n)
            return engine.labels(n, seed=seed, start=start, labels=choice.of(everything, start))

        manifest = describe(engine, n, output, start=start, labels=choice.value, **settings)
        write(Job(manifest, make, chosen), to)


def _count(n: int | None, grid: tuple[int, int] | None) -> int:
    if n is not None:
        if n < 1:
            raise click.BadParameter(f"{n} must be at least 1", param_hint="-n")
        return n
    if grid is None:
        raise click.UsageError("say how many samples: -n N")
    return grid[0] * grid[1]
