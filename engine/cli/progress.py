"""Progress on stderr: a bar with samples a second on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click

_LINE_EVERY_S = 30.0


class Progress(Protocol):
    """What a run tells about its way."""

    def update(self, n: float = 1, /) -> object:
        """Count n more samples."""


class Lines:
    """One line every half minute, for logs of jobs that run for hours."""

    def __init__(self, total: int, unit: str) -> None:
        self._total = total
        self._unit = unit
        self._done = 0.0
        self._begin_s = self._told_s = time.monotonic()

    def update(self, n: float = 1, /) -> None:
        """Count n more samples, and tell if it is time."""
        self._done += n
        now_s = time.monotonic()
        if now_s - self._told_s < _LINE_EVERY_S:
            return
        self._told_s = now_s
        rate = self._done / (now_s - self._begin_s)
        line = f"{self._done:.0f} of {self._total} {self._unit}, {rate:,.0f}/s"
        click.echo(line, err=True)


@contextmanager
def progress_bar(total: int, unit: str) -> Iterator[Progress]:
    """Progress up to `total`: a bar on a terminal, lines where stderr is none."""
    if not sys.stderr.isatty():
        yield Lines(total, unit)
        return
    from tqdm import tqdm

    with tqdm(total=total, unit=f" {unit}", leave=False, dynamic_ncols=True) as bar:
        yield bar
