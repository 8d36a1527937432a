"""A whole run: every case of a preset, its results written after each."""

from __future__ import annotations

import dataclasses
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click

from benchmarks.bench import Bench
from benchmarks.cases import Preset, cases
from benchmarks.machine import DIRTY, describe_machine, describe_run
from benchmarks.result_files import read, write
from benchmarks.results import Case, Results
from benchmarks.summary import summary_lines
from engine.core.errors import OptionError


def run(preset: Preset, threads: int, out: Path | None, *, kid: bool, keep: bool) -> Results:
    """Measure a preset; `out` is written after every case, a summary goes to stdout.

    keep: cases that `out` has already stay there unless they are measured again. Raises
    OptionError if they are of another machine, commit, preset or number of threads or rounds, or
    of code that no commit has.
    """
    results = Results(describe_machine(), describe_run(preset, threads), ())
    if keep and out is not None and out.is_file():
        results = continued(read(out), results, out)
    with tempfile.TemporaryDirectory(prefix="generator-engine-bench-") as folder:
        bench = Bench(preset, threads, Path(folder), Progress(), kid)
        for case in cases(preset):
            found = bench.measure(case)
            for line in summary_lines(found):
                click.echo(line)
            results = merged(results, found)
            if out is not None:
                write(out, results)
    return results


def merged(results: Results, found: Sequence[Case]) -> Results:
    """Results with further cases, which take the place of those with their keys."""
    keys = {case.key for case in found}
    kept = tuple(case for case in results.cases if case.key not in keys)
    return dataclasses.replace(results, cases=(*kept, *found))


def continued(old: Results, new: Results, path: Path) -> Results:
    """The results of an earlier run for `new` to go on with. Raises OptionError if it cannot."""
    for what, before, now in (
        ("machine", old.machine, new.machine),
        ("commit", old.run.commit, new.run.commit),
        ("preset", old.run.preset, new.run.preset),
        ("number of threads", old.run.threads, new.run.threads),
        ("number of rounds", old.run.rounds, new.run.rounds),
    ):
        if before != now:
            raise OptionError(
                f"{path}: its cases are of another {what}, {before}; write to a new file"
            )
    if old.run.commit.endswith(DIRTY):
        raise OptionError(
            f"{path}: its cases are of code that was not committed, {old.run.commit}, so nobody "
            "can tell whether it is the same; commit, and write to a new file"
        )
    return old


class Progress:
    """What is going on, on stderr, with the seconds since the start."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def __call__(self, text: str) -> None:
        """Tell what begins now."""
        click.echo(f"{time.monotonic() - self._begin:7.1f} s  {text}", err=True)
