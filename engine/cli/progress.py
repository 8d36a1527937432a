"""Progress bar on stderr with samples a second; on a terminal only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Bar(Protocol):
    """What is used of tqdm's bar."""

    def update(self, n: float = 1, /) -> object:
        """Count n more samples."""


@contextmanager
def progress_bar(total: int, unit: str) -> Iterator[Bar]:
    """A bar that counts up to `total`; silent when stderr is no terminal."""
    from tqdm import tqdm

    with tqdm(total=total, unit=f" {unit}", disable=None, leave=False, dynamic_ncols=True) as bar:
        yield bar
