"""`reconstruct`: images through the encoder and the decoder of a VAE."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt

from engine.cli.labels import parse_labels, require_labels
from engine.cli.options import (
    EngineOptions,
    artifact_argument,
    engine_options,
    labels_option,
    output_options,
)
from engine.core.errors import OptionError
from engine.sinks.destination import IMAGE_FOLDERS, Destination

_PAIRS_A_ROW = 4


@click.command()
@artifact_argument
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@output_options
@labels_option
@engine_options
def reconstruct(
    artifact: str,
    images: tuple[Path, ...],
    to: Destination,
    labels: str | None,
    options: EngineOptions,
) -> None:
    """Put images through a VAE and show both sides.

    A sheet and a folder of images hold each original and its reconstruction in turn; arrays and
    shards hold the reconstructions. IMAGES are pictures of any size, or .npy arrays in the model's
    shape.
    """
    from engine.cli.pictures import read_pictures
    from engine.cli.writing import write
    from engine.images import to_uint8
    from engine.saving import describe
    from engine.sinks.write import Job

    with options.open(artifact, to) as engine:
        spec = engine.spec
        if "encoder" in spec.entry_points and spec.modality != "image":
            raise OptionError(
                f"{spec.name} ({spec.family}) makes {spec.modality}, no images; use "
                "Engine.reconstruct"
            )
        if "encoder" not in spec.entry_points:
            raise OptionError(
                f"{spec.name} ({spec.family}) has no encoder; reconstruct needs a VAE"
            )
        require_labels(labels, spec.classes)
        originals = read_pictures(images, spec.output)
        count = len(originals)
        choice = parse_labels(labels, spec.classes, count)
        chosen = engine.labels(count, labels=choice.of(range(count), 0))
        pairs = to.format == "sheet" or to.format in IMAGE_FOLDERS
        a_row = min(count, _PAIRS_A_ROW)
        to = to.or_grid(2 * a_row, -(-count // a_row))
        digest = sha256(originals.tobytes()).hexdigest()
        manifest = describe(
            engine,
            2 * count if pairs else count,
            "uint8",
            seed=None,
            labels=choice.value,
            latents=f"encoded from {count} images, sha256:{digest}",
        )

        # Once for all the runs that a resumed folder lacks.
        @functools.cache
        def everything() -> npt.NDArray[np.uint8]:
            rebuilt: npt.NDArray[np.uint8] = engine.reconstruct(originals, chosen, output="uint8")
            if not pairs:
                return rebuilt
            both = np.stack([to_uint8(originals, spec.output.range), rebuilt], axis=1)
            return both.reshape(-1, *rebuilt.shape[1:])

        def make(run: range) -> Iterator[Any]:
            yield everything()[run.start : run.stop]

        both_labels = chosen.repeat(2) if pairs and chosen is not None else chosen

        def labels_of(run: range) -> Any:
            return None if both_labels is None else both_labels[run.start : run.stop]

        write(Job(manifest, make, labels_of if spec.classes else None), to)
