"""Samples to files for every command that writes some: progress, what was written, Ctrl-C."""

from __future__ import annotations

import time
from contextlib import ExitStack

import click

from engine.cli.progress import Progress, progress_bar
from engine.sinks.destination import FOLDERS, Destination
from engine.sinks.write import Job, Written
from engine.sinks.write import write as write_files

# A rate is told from so many batches on.
_TIMED_BATCHES = 4


def write(job: Job, to: Destination) -> None:
    """Write the job and say what was written, how fast, and by which engine.

    Raises OptionError for samples that the format cannot hold, OutputError, and Abort with the way
    to go on when interrupted.
    """
    begin_s = time.perf_counter()
    try:
        with _Told(job.unit) as told:
            written = write_files(job, to, told)
    except KeyboardInterrupt as interrupt:
        how = (
            "continue with the same command and --resume"
            if to.format in FOLDERS
            else "nothing was written"
        )
        raise click.Abort(f"interrupted; {how}") from interrupt
    _report(job, to, written, time.perf_counter() - begin_s)


def _report(job: Job, to: Destination, written: Written, elapsed_s: float) -> None:
    manifest, made = written.manifest, written.made
    if made == 0:
        click.echo(f"{to.path} is complete: {manifest.n} {job.unit}, nothing to do")
        return
    kept = f" ({manifest.n - made} were there already)" if made < manifest.n else ""
    # Of a short run, the time is that of starting up.
    long = made >= _TIMED_BATCHES * manifest.batch_size
    rate = f", {made / elapsed_s:,.0f} {job.unit}/s" if long else ""
    click.echo(
        f"wrote {to.path}: {manifest.n} {job.unit}{kept}{rate} with {manifest.backend} "
        f"{manifest.precision}, batches of {manifest.batch_size}, from {manifest.artifact}"
    )
    if manifest.encoder is not None:
        click.echo(f"encoded by {manifest.encoder}: {written.encoder_reason}")


class _Told:
    """A progress bar that begins when the number of samples is known."""

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._stack = ExitStack()
        self._bar: Progress | None = None
        self._done = 0

    def __enter__(self) -> _Told:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def __call__(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = self._stack.enter_context(progress_bar(total, self._unit))
        self._bar.update(done - self._done)
        self._done = done
