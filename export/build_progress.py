"""How far a TensorRT builder has come: one line on a terminal, nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from export.builders import Advance


@contextmanager
def build_progress() -> Iterator[Advance | None]:
    """What to tell a builder to call, or None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm

    with tqdm(leave=False, bar_format="{desc} {n_fmt}/{total_fmt} {elapsed}") as bar:

        def advance(phase: str, done: int, total: int) -> None:
            bar.set_description_str(phase, refresh=False)
            bar.total, bar.n = total, done
            bar.refresh()

        yield advance
