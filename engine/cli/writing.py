"""From samples to files: one road for every command that writes some."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import numpy.typing as npt

from engine.cli.destination import Destination
from engine.cli.progress import progress_bar
from engine.core.errors import OptionError
from engine.core.files import sha256
from engine.sinks.manifest import FileRecord, Manifest, sidecar, write_manifest
from engine.sinks.space import check_file

if TYPE_CHECKING:
    from engine.api import Engine

Samples = npt.NDArray[Any]
Labels = npt.NDArray[np.int64] | None

# A rate is told from so many batches on.
_TIMED_BATCHES = 4


@dataclass(frozen=True, slots=True)
class Job:
    """Samples to be written.

    make: gives the samples of a run of indices in batches [b, *manifest.shape].
    labels: gives the class of each sample [n], None without classes.
    """

    manifest: Manifest
    make: Callable[[range], Iterable[Samples]]
    labels: Callable[[], Labels]

    @property
    def indices(self) -> range:
        """All sample indices."""
        return range(self.manifest.start, self.manifest.start + self.manifest.n)


def describe(engine: Engine, n: int, output: str | None, **settings: Any) -> Manifest:
    """The manifest of `n` samples from `engine`; `settings` are further fields of it."""
    spec = engine.spec
    shape, dtype = spec.output.shape, "float32"
    if output == "uint8" or (output is None and spec.modality == "image"):
        shape, dtype = (*shape[1:], shape[0]), "uint8"
    return Manifest(
        artifact=engine.artifact.path.name,
        sha256=engine.artifact.sha256,
        options=_as_json(engine.options.given()),
        backend=engine.backend,
        device=engine.device,
        precision=engine.precision,
        batch_size=engine.batch_size,
        n=n,
        shape=shape,
        dtype=dtype,
        versions=engine.versions,
        **settings,
    )


def _as_json(options: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they come back from a manifest: lists, not tuples."""
    values: dict[str, Any] = json.loads(json.dumps(options))
    return values


def write(job: Job, to: Destination) -> None:
    """Write the job and say what was written, how fast, and by which engine.

    Raises OptionError for samples that the format cannot hold, OutputError, and Abort with the way
    to go on when interrupted.
    """
    manifest = job.manifest
    unit = "images" if len(manifest.shape) == 3 else "samples"
    if to.format in ("sheet", "pngs") and manifest.dtype != "uint8":
        raise OptionError(f"-o {to.path}: PNG holds uint8 images; write .npy or .npz instead")
    begin_s = time.perf_counter()
    try:
        made = _FORMATS[to.format](job, to, unit)
    except KeyboardInterrupt as interrupt:
        how = (
            "continue with the same command and --resume"
            if to.format == "pngs"
            else "nothing was written"
        )
        raise click.Abort(f"interrupted; {how}") from interrupt
    elapsed_s = time.perf_counter() - begin_s
    if made == 0:
        click.echo(f"{to.path} is complete: {manifest.n} {unit}, nothing to do")
        return
    kept = f" ({manifest.n - made} were there already)" if made < manifest.n else ""
    # Of a short run, the time is that of starting up.
    long = made >= _TIMED_BATCHES * manifest.batch_size
    rate = f", {made / elapsed_s:,.0f} {unit}/s" if long else ""
    click.echo(
        f"wrote {to.path}: {manifest.n} {unit}{kept}{rate} with {manifest.backend} "
        f"{manifest.precision}, batches of {manifest.batch_size}, from {manifest.artifact}"
    )


def _sheet(job: Job, to: Destination, unit: str) -> int:
    from engine.sinks.sheet import plan_sheet, write_sheet

    manifest = job.manifest
    columns, rows = to.grid or (None, None)
    layout = plan_sheet(manifest.n, manifest.shape, columns, rows)
    check_file(to.path)
    text = {"generator-manifest": manifest.to_json()}
    with _counted(job, manifest.n, unit) as make:
        write_sheet(to.path, make(job.indices), layout, text)
    return manifest.n


def _pngs(job: Job, to: Destination, unit: str) -> int:
    from engine.sinks.pngs import PngFolder

    folder = PngFolder(to.path, job.manifest, to.resume)
    missing = job.manifest.n - folder.kept
    with _counted(job, missing, unit) as make:
        folder.write(make, job.labels())
    return missing


def _npy(job: Job, to: Destination, unit: str) -> int:
    from engine.sinks.arrays import write_npy

    manifest = job.manifest
    with _counted(job, manifest.n, unit) as make:
        write_npy(to.path, make(job.indices), (manifest.n, *manifest.shape), manifest.dtype)
    _write_sidecar(to, manifest)
    return manifest.n


def _npz(job: Job, to: Destination, unit: str) -> int:
    from engine.sinks.arrays import check_room, write_npz

    manifest = job.manifest
    shape = (manifest.n, *manifest.shape)
    # Before the labels, which take memory too.
    check_room(to.path, shape, manifest.dtype)
    extra: dict[str, Samples] = {"start": np.asarray(manifest.start)}
    if manifest.seed is not None:
        extra["seed"] = np.asarray(manifest.seed)
    labels = job.labels()
    if labels is not None:
        extra["labels"] = labels
    with _counted(job, manifest.n, unit) as make:
        write_npz(to.path, make(job.indices), shape, manifest.dtype, extra, name=unit)
    _write_sidecar(to, manifest)
    return manifest.n


_FORMATS = {"sheet": _sheet, "pngs": _pngs, "npy": _npy, "npz": _npz}


@contextmanager
def _counted(job: Job, total: int, unit: str) -> Iterator[Callable[[range], Iterator[Samples]]]:
    """`job.make` with a progress bar."""
    with progress_bar(total, unit) as bar:

        def make(run: range) -> Iterator[Samples]:
            for batch in job.make(run):
                yield batch
                bar.update(len(batch))

        yield make


def _write_sidecar(to: Destination, manifest: Manifest) -> None:
    record = FileRecord(to.path.name, sha256(to.path))
    write_manifest(sidecar(to.path), manifest.replace(files=(record,)))
