"""`interpolate`: the way between two samples."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any, cast

import click

from engine.cli import types
from engine.cli.labels import parse_labels
from engine.cli.options import (
    EngineOptions,
    artifact_argument,
    engine_options,
    labels_option,
    output_options,
    values_option,
)
from engine.core.errors import OptionError
from engine.sinks.destination import Destination


@click.command()
@artifact_argument
@click.option("--from", "first", type=types.sample, metavar="[SEED:]INDEX", required=True)
@click.option("--to", "last", type=types.sample, metavar="[SEED:]INDEX", required=True)
@click.option(
    "--steps", type=int, default=8, show_default=True, help="Samples, both ends included."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Seed where none is named.")
@output_options
@labels_option
@values_option
@engine_options
def interpolate(
    artifact: str,
    first: tuple[int | None, int],
    last: tuple[int | None, int],
    steps: int,
    seed: int,
    to: Destination,
    labels: str | None,
    output: str | None,
    options: EngineOptions,
) -> None:
    """Walk from one sample to another.

    Normal latents go along the great circle, uniform ones along the line. The class is that of the
    first sample unless --labels says otherwise. A folder gets the steps as frames.
    """
    from engine.cli.writing import write
    from engine.saving import describe
    from engine.sinks.write import Job

    to = to.or_grid(steps, 1)
    ends = [(seed if own is None else own, index) for own, index in (first, last)]
    with options.open(artifact, to) as engine:
        if steps < 2:
            raise OptionError(f"--steps {steps} must be at least 2: both ends are part of the way")
        (a_seed, a_index), (b_seed, b_index) = ends
        choice = parse_labels(labels, engine.spec.classes, steps, default=None)
        asked = choice.of(range(steps), 0)
        # A sample of another seed is given as its latent.
        end = b_index if b_seed == a_seed else engine.latents(1, seed=b_seed, start=b_index)[0]
        manifest = describe(
            engine,
            steps,
            output,
            seed=None,
            labels=choice.value,
            latents=f"{steps} steps from {a_seed}:{a_index} to {b_seed}:{b_index}",
        )

        # Once for all the runs that a resumed folder lacks.
        @functools.cache
        def way() -> Any:
            return engine.interpolate(
                a_index,
                end,
                steps,
                seed=a_seed,
                labels=asked,
                output=cast(Any, manifest.dtype),
            )

        def make(run: range) -> Iterator[Any]:
            yield way()[run.start : run.stop]

        def chosen(run: range) -> Any:
            if asked is not None:
                every = engine.labels(steps, labels=asked)
                return None if every is None else every[run.start : run.stop]
            first = engine.labels(1, seed=a_seed, start=a_index)
            return None if first is None else first.repeat(len(run))

        write(Job(manifest, make, chosen if engine.spec.classes else None), to)
