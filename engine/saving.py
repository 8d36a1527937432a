"""Samples of an engine to files, from Python: what `python -m engine generate` does.

    with Engine("dcgan-emoji") as engine:
        engine.save("shards/", 1_000_000, format="webdataset", quality=90, resume=True)

Folders and shards can be continued after a stop; whatever stands there is whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine import inputs
from engine.core.errors import OptionError
from engine.labels import RANDOM, LabelPlan, Labels, plan_labels
from engine.runner import Output, choose_output, sample_array
from engine.saving_options import checked_destination
from engine.sinks.destination import Destination
from engine.sinks.folder import begun_batch_size
from engine.sinks.manifest import Manifest
from engine.sinks.write import Job, Progress, write

if TYPE_CHECKING:
    from engine.api import Engine

# More labels than these are recorded by their hash.
_LISTED_LABELS = 10_000


def save(
    engine: Engine,
    path: str | Path,
    n: int,
    *,
    seed: int = 0,
    start: int = 0,
    labels: Labels = None,
    truncation: float | None = None,
    output: Output | None = None,
    format: str | None = None,
    grid: tuple[int, int] | None = None,
    resume: bool = False,
    member: str | None = None,
    quality: int | None = None,
    lossless: bool = False,
    shard_size: int | None = None,
    encoder: str = "auto",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Write samples start .. start + n of a seed; gives the manifest of what was written.

    seed, start, labels, truncation, output: as `Engine.generate` takes them.
    format: sheet (x.png), pngs, jpgs, webps (folders of single images), npy, npz (one file),
        npy-shards, webdataset (folders of shards); left out, the name of `path` says it.
    grid: (columns, rows) of a sheet. resume: continue a folder that was begun, in batches of the
        size that it was begun with, unless the engine was given one.
    member: of a WebDataset sample: jpg (the default), png, webp or npy.
    quality: 1 to 100, of JPEG and WebP (90). lossless: WebP without loss.
    shard_size: samples a shard (10,000; fewer where they are large).
    encoder, threads: a name of `engine.sinks.encoders`, and how many threads encode.
    progress: called with (samples made, samples to be made).

    Sampling, encoding and writing overlap, and memory is bounded whatever n. A run that is stopped
    leaves whole files only. Raises OptionError, OutputError, NumericalError.
    """
    to = checked_destination(
        path,
        format,
        grid,
        resume,
        member=member,
        quality=quality,
        lossless=lossless,
        shard_size=shard_size,
        encoder=encoder,
        threads=threads,
    )
    if progress is not None and not callable(progress):
        raise OptionError(f"progress={progress!r} must be a function of (made, to be made)")
    n, start = inputs.sample_range(n, start)
    plan = plan_labels(labels, engine.spec.classes, n, inputs.seed(seed), start, engine.spec.name)
    with _as_begun(engine, to) as begun:
        job = sample_job(
            begun,
            n,
            labels_of=lambda run: _labels_of(plan, run),
            recorded=_recorded(plan),
            seed=seed,
            start=start,
            truncation=truncation,
            output=output,
        )
        return write(job, to, progress).manifest


def _as_begun(engine: Engine, to: Destination) -> AbstractContextManager[Engine]:
    """The engine; with the batch size of the run that is resumed, where nobody gave it one."""
    if to.resume and engine.batch_size_was_chosen:
        begun = begun_batch_size(to.path)
        if begun is not None and begun != engine.batch_size:
            return engine.with_batch_size(begun)
    return nullcontext(engine)


def sample_job(
    engine: Engine,
    n: int,
    *,
    labels_of: Callable[[range], Any],
    recorded: str | int | tuple[int, ...] | None,
    seed: int,
    start: int,
    truncation: float | None,
    output: Output | None,
) -> Job:
    """Samples start .. start + n of a seed, ready to be written. Raises OptionError.

    labels_of: labels of a run of samples as `Engine.stream` takes them; recorded: the same for the
    manifest.
    """
    # Checks the arguments and makes nothing: before a file or folder is begun.
    engine.stream(1, seed=seed, start=start, truncation=truncation, output=output)

    def make(run: range) -> Iterator[Any]:
        return engine.stream(
            len(run),
            seed=seed,
            start=run.start,
            labels=labels_of(run),
            truncation=truncation,
            output=output,
        )

    def classes(run: range) -> NDArray[np.int64] | None:
        return engine.labels(len(run), seed=seed, start=run.start, labels=labels_of(run))

    manifest = describe(
        engine, n, output, seed=seed, start=start, truncation=truncation, labels=recorded
    )
    return Job(manifest, make, classes if engine.spec.classes else None)


def describe(engine: Engine, n: int, output: str | None, **settings: Any) -> Manifest:
    """The manifest of `n` samples from `engine`; `settings` are further fields of it."""
    form = choose_output(output, engine.spec)
    if form == "torch":
        raise OptionError("output='torch' is for tensors; files hold uint8 or float32")
    shape, dtype = sample_array(engine.spec, form)
    return Manifest(
        artifact=engine.artifact.name,
        sha256=engine.artifact.sha256,
        options=_as_json(engine.options.given()),
        backend=engine.backend,
        device=engine.device,
        precision=engine.precision,
        batch_size=engine.batch_size,
        n=n,
        shape=shape,
        dtype=dtype.name,
        versions=engine.versions,
        **settings,
    )


def _as_json(options: Mapping[str, Any]) -> dict[str, Any]:
    """Values as they come back from a manifest: lists, not tuples."""
    values: dict[str, Any] = json.loads(json.dumps(options))
    return values


def _labels_of(plan: LabelPlan | None, run: range) -> Any:
    if plan is None or plan.fixed is None or isinstance(plan.fixed, int):
        return None if plan is None else plan.fixed
    return plan.fixed[run.start - plan.start : run.stop - plan.start]


def _recorded(plan: LabelPlan | None) -> str | int | tuple[int, ...] | None:
    if plan is None:
        return None
    if plan.fixed is None:
        return RANDOM
    if isinstance(plan.fixed, int):
        return plan.fixed
    if len(plan.fixed) <= _LISTED_LABELS:
        return tuple(plan.fixed.tolist())
    return f"sha256:{hashlib.sha256(plan.fixed.tobytes()).hexdigest()}"
