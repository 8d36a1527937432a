"""`python -m benchmarks`: the backends interleaved in one process, as a Markdown report.

Rounds go through all backends of a model and batch size in turn, so that a noisy neighbour slows
them alike; ratios are then worth more than the numbers they come from.
"""

from __future__ import annotations

import contextlib
import platform
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path

import click

from benchmarks.cases import Case, cases
from benchmarks.machine import describe_machine
from benchmarks.table import Row, render


def measure(group: list[Case], rounds: int) -> list[Row]:
    """Rows of cases that share model and batch size, timed in turn."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        reasons = {case: case.skip_reason() for case in group}
        engines = {
            case: stack.enter_context(case.open(folder)) for case in group if not reasons[case]
        }
        seconds: dict[Case, list[float]] = {case: [] for case in engines}
        for case, engine in engines.items():
            engine.generate(case.n)
        for _ in range(rounds):
            for case, engine in engines.items():
                begin = time.perf_counter()
                engine.generate(case.n)
                seconds[case].append(time.perf_counter() - begin)
    return [Row(case, tuple(seconds.get(case, ())), reasons[case] or "") for case in group]


@click.command()
@click.option("--rounds", default=15, show_default=True, help="Timed calls of each case.")
def main(rounds: int) -> None:
    """Print machine, versions and the table."""
    rows: list[Row] = []
    for _, group in groupby(cases(), key=lambda case: (case.model, case.batch_size)):
        rows += measure(list(group), rounds)
    click.echo(
        f"{describe_machine()}; {rounds} interleaved rounds, Python {platform.python_version()}"
    )
    click.echo()
    click.echo(render(rows))


if __name__ == "__main__":
    sys.exit(main())
