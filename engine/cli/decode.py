"""`decode`: the caller's own latents to samples."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import click
import numpy as np
import numpy.typing as npt

from engine import inputs
from engine.cli.labels import parse_labels, require_labels
from engine.cli.options import (
    EngineOptions,
    artifact_argument,
    engine_options,
    labels_option,
    output_options,
    values_option,
)
from engine.core.errors import ArtifactError, OptionError
from engine.core.files import sha256
from engine.core.npy import Header, read_header
from engine.core.spec import GeneratorSpec
from engine.sinks.destination import Destination

_ROWS_AT_ONCE = 4096


@click.command()
@artifact_argument
@click.option(
    "--latents",
    type=click.Path(path_type=Path),
    required=True,
    help="A .npy file of shape [n, *latent]; for networks that are given images also uint8 "
    "[n, H, W, C].",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Of the noise that some networks take beside their latent.",
)
@output_options
@labels_option
@values_option
@engine_options
def decode(
    artifact: str,
    latents: Path,
    seed: int,
    to: Destination,
    labels: str | None,
    output: str | None,
    options: EngineOptions,
) -> None:
    """Turn your own latents into samples."""
    from engine.cli.writing import write
    from engine.grid import batches
    from engine.saving import describe
    from engine.sinks.write import Job

    seed = inputs.seed(seed)
    z = read_latents(latents)
    with options.open(artifact, to) as engine:
        n, size = len(z), engine.batch_size
        _check_alone(engine.spec)
        require_labels(labels, engine.spec.classes)
        check_finite(z, latents)
        choice = parse_labels(labels, engine.spec.classes, n)
        chosen = engine.labels(n, labels=choice.of(range(n), 0))
        manifest = describe(
            engine,
            n,
            output,
            seed=seed if engine.spec.noise else None,
            labels=choice.value,
            latents=f"sha256:{sha256(latents)}",
        )

        def make(run: range) -> Iterator[Any]:
            for batch in batches(run.start, len(run), size):
                first = batch.first + batch.rows.start
                part = slice(first, first + batch.wanted)
                yield engine.decode(
                    z[part],
                    None if chosen is None else chosen[part],
                    seed=seed,
                    start=first,
                    output=cast(Any, manifest.dtype),
                )

        labels_of = None if chosen is None else lambda run: chosen[run.start : run.stop]
        write(Job(manifest, make, labels_of), to)


def _check_alone(spec: GeneratorSpec) -> None:
    """Raise OptionError for networks that are given more than a file of latents has."""
    further = [item.name for item in spec.noise if item.distribution == "given"]
    if further:
        raise OptionError(
            f"{spec.name!r} takes {', '.join(map(repr, further))} beside {spec.latent.name!r}, and "
            "--latents holds one of them; give all in Python, with Engine.decode({name: x})"
        )


def check_finite(z: npt.NDArray[Any], path: Path) -> None:
    """Raise OptionError for NaN or infinity anywhere in `z` [n, *latent], naming the sample.

    All of the file is looked at before a sample is made, a part at a time.
    """
    if not np.issubdtype(z.dtype, np.floating):
        return
    for first in range(0, len(z), _ROWS_AT_ONCE):
        part = z[first : first + _ROWS_AT_ONCE]
        finite = np.isfinite(part).reshape(len(part), -1).all(axis=1)
        if not finite.all():
            raise OptionError(
                f"{path}: the latent of sample {first + int(finite.argmin())} holds NaN or "
                "infinity; give finite numbers"
            )


def read_latents(path: Path) -> npt.NDArray[Any]:
    """The array of a .npy file, mapped and not read. Raises ArtifactError, OptionError if empty."""
    try:
        with open(path, "rb") as file:
            header = _header(file)
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: no such file") from error
    except (OSError, ArtifactError) as error:
        raise ArtifactError(f"{path}: not a .npy file of numbers: {error}") from error
    if not header.shape or header.shape[0] == 0:
        raise OptionError(
            f"{path}: has the shape {header.shape}; give latents of shape [n, *latent]"
        )
    # What numpy's own reader does, which fails over a damaged header with errors of any kind.
    order: Literal["F", "C"] = "F" if header.fortran_order else "C"
    return np.memmap(path, header.dtype, "r", header.size, header.shape, order)


def _header(file: BinaryIO) -> Header:
    """The header of a .npy file whose numbers are all there. Raises ArtifactError."""
    if file.read(2) == b"PK":
        raise ArtifactError("several arrays in one file; give a .npy file of latents")
    file.seek(0)
    header = read_header(file)
    there = os.fstat(file.fileno()).st_size - header.size
    if header.data_bytes != there:
        raise ArtifactError(
            f"has {there} bytes of numbers, and its header speaks of {header.data_bytes}"
        )
    return header
