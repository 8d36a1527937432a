"""From samples to files: one road for the command line and for Python."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.core.errors import OptionError
from engine.core.files import sha256
from engine.sinks import encoders
from engine.sinks.arrays import Parts, check_room, write_npy, write_npz
from engine.sinks.coding import check_images
from engine.sinks.destination import IMAGE_FOLDERS, Destination, Format
from engine.sinks.folder import digits_for
from engine.sinks.image_folder import ImageFolder
from engine.sinks.manifest import FileRecord, Manifest, sidecar, write_manifest
from engine.sinks.npy_shards import NpyShards
from engine.sinks.shard_format import ShardFormat
from engine.sinks.shard_plan import shard_size_for
from engine.sinks.shards import ShardFolder
from engine.sinks.sheet import plan_sheet, write_sheet
from engine.sinks.space import check_file
from engine.sinks.webdataset import WebDataset, npy_encoder

Samples = npt.NDArray[Any]
Labels = npt.NDArray[np.int64] | None
Progress = Callable[[int, int], None]

# Labels are asked for so many at a time.
_LABELS_AT_ONCE = 65536


@dataclass(frozen=True, slots=True)
class Job:
    """Samples to be written.

    make: gives the samples of a run of indices in batches [b, *manifest.shape].
    labels: gives the classes of a run [len(run)], None for unconditional models.
    """

    manifest: Manifest
    make: Callable[[range], Iterable[Samples]]
    labels: Callable[[range], Labels] | None = None

    @property
    def indices(self) -> range:
        """All sample indices."""
        return range(self.manifest.start, self.manifest.start + self.manifest.n)

    @property
    def unit(self) -> str:
        """What the samples are called."""
        return "images" if len(self.manifest.shape) == 3 else "samples"


@dataclass(frozen=True, slots=True)
class Written:
    """What a run left: the manifest, how many samples it made, and why with this encoder."""

    manifest: Manifest
    made: int
    encoder_reason: str | None = None


def write(job: Job, to: Destination, progress: Progress | None = None) -> Written:
    """Write the job, sampling, encoding and writing at the same time, in bounded memory.

    progress: called with (samples made, samples to be made), first with (0, ...).
    Everything that can be checked is, before a sample is made. Raises OptionError for samples that
    the format cannot hold and for a folder with another run, and OutputError.
    """
    job = dataclasses.replace(job, manifest=job.manifest.replace(written_as=to.format))
    return _WRITERS[to.format](job, to, progress)


def _sheet(job: Job, to: Destination, progress: Progress | None) -> Written:
    manifest = job.manifest
    _check_pixels(job, to)
    columns, rows = to.grid or (None, None)
    layout = plan_sheet(manifest.n, manifest.shape, columns, rows)
    check_file(to.path)
    make = _counted(job, manifest.n, progress)
    text = {"generator-manifest": manifest.to_json()}
    write_sheet(to.path, make(job.indices), layout, text)
    return Written(manifest, manifest.n)


def _images(job: Job, to: Destination, progress: Progress | None) -> Written:
    coding = to.coding()
    assert coding is not None
    _check_pixels(job, to)
    check_images(job.manifest.shape, job.manifest.dtype, coding)
    encoder = encoders.choose(coding, to.files.encoder)
    manifest = job.manifest.replace(coding=coding.settings(), encoder=encoder.name)
    folder = ImageFolder(to.path, manifest, coding, encoder.encode, to.resume)
    missing = manifest.n - folder.kept
    make = _counted(job, missing, progress)
    return Written(folder.write(make, job.labels, to.files.threads), missing, encoder.reason)


def _npy(job: Job, to: Destination, progress: Progress | None) -> Written:
    check_file(to.path)
    digest = write_npy(to.path, _samples(job, progress))
    return _with_sidecar(job.manifest, to.path, digest)


def _npz(job: Job, to: Destination, progress: Progress | None) -> Written:
    manifest = job.manifest
    samples = _samples(job, progress)
    check_room(to.path, samples.shape, samples.dtype)
    arrays = {job.unit: samples, "start": Parts.of(np.asarray(manifest.start))}
    if manifest.seed is not None:
        arrays["seed"] = Parts.of(np.asarray(manifest.seed))
    if job.labels is not None:
        arrays["labels"] = Parts(_all_labels(job), (manifest.n,), np.dtype(np.int64))
    write_npz(to.path, arrays)
    return _with_sidecar(manifest, to.path, sha256(to.path))


def _npy_shards(job: Job, to: Destination, progress: Progress | None) -> Written:
    return _shards(job, to, progress, NpyShards(job.manifest.shape, job.manifest.dtype))


def _webdataset(job: Job, to: Destination, progress: Progress | None) -> Written:
    manifest, labelled = job.manifest, job.labels is not None
    is_image = len(manifest.shape) == 3 and manifest.dtype == "uint8"
    coding = to.coding("image" if is_image else "other")
    if coding is None:
        archive = WebDataset(
            "npy", npy_encoder(manifest.shape, manifest.dtype), digits_for(manifest), labelled
        )
        return _shards(job, to, progress, archive)
    check_images(manifest.shape, manifest.dtype, coding)
    encoder = encoders.choose(coding, to.files.encoder)
    settings = {"member": coding.format, **coding.settings()}
    job = dataclasses.replace(job, manifest=manifest.replace(coding=settings, encoder=encoder.name))
    archive = WebDataset(coding.format, encoder.encode, digits_for(manifest), labelled)
    written = _shards(job, to, progress, archive)
    return dataclasses.replace(written, encoder_reason=encoder.reason)


_WRITERS: dict[Format, Callable[[Job, Destination, Progress | None], Written]] = {
    "sheet": _sheet,
    **dict.fromkeys(IMAGE_FOLDERS, _images),
    "npy": _npy,
    "npz": _npz,
    "npy-shards": _npy_shards,
    "webdataset": _webdataset,
}


def _shards(job: Job, to: Destination, progress: Progress | None, format: ShardFormat) -> Written:
    manifest = job.manifest
    size = shard_size_for(to.files.shard_size, manifest.shape, manifest.dtype)
    folder = ShardFolder(to.path, manifest.replace(shard_size=size), format, to.resume)
    missing = manifest.n - folder.kept
    make = _counted(job, missing, progress)
    return Written(folder.write(make, job.labels, to.files.threads), missing)


def _samples(job: Job, progress: Progress | None) -> Parts:
    manifest = job.manifest
    make = _counted(job, manifest.n, progress)
    shape, dtype = (manifest.n, *manifest.shape), np.dtype(manifest.dtype)
    return Parts(make(job.indices), shape, dtype)


def _all_labels(job: Job) -> Iterator[npt.NDArray[np.int64]]:
    assert job.labels is not None
    for first in range(job.indices.start, job.indices.stop, _LABELS_AT_ONCE):
        labels = job.labels(range(first, min(first + _LABELS_AT_ONCE, job.indices.stop)))
        if labels is not None:
            yield labels


def _counted(
    job: Job, total: int, progress: Progress | None
) -> Callable[[range], Iterable[Samples]]:
    """`job.make`, telling of each batch."""
    if progress is None:
        return job.make
    tell, done = progress, 0
    tell(0, total)

    def make(run: range) -> Iterator[Samples]:
        nonlocal done
        for batch in job.make(run):
            yield batch
            done += len(batch)
            tell(done, total)

    return make


def _check_pixels(job: Job, to: Destination) -> None:
    if job.manifest.dtype != "uint8":
        raise OptionError(
            f"{to.path}: {to.format} holds uint8 images, not {job.manifest.dtype}; "
            "write .npy, .npz or npy-shards instead"
        )


def _with_sidecar(manifest: Manifest, path: Path, digest: str) -> Written:
    finished = manifest.replace(files=(FileRecord(path.name, digest),))
    write_manifest(sidecar(path), finished)
    return Written(finished, manifest.n)
