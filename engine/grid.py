"""The fixed grid of batches: sample i is row i mod B of batch i div B, whatever was asked for.

A sample's row, and so its arithmetic, is the same for every n and start. Backends that run whole
batches alone run the first and last of a range whole, and cut; others (`Capabilities.any_count`)
have bits that do not depend on the row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class GridBatch:
    """One batch: it computes samples first .. first + size, of which `rows` are wanted."""

    first: int
    rows: slice
    size: int

    @property
    def wanted(self) -> int:
        """Number of rows wanted."""
        return int(self.rows.stop - self.rows.start)


def batches(start: int, n: int, batch_size: int) -> Iterator[GridBatch]:
    """The batches that cover samples start .. start + n; none for n = 0."""
    if n <= 0:
        return
    end = start + n
    for first in range(start - start % batch_size, end, batch_size):
        low, high = max(first, start), min(first + batch_size, end)
        yield GridBatch(first, slice(low - first, high - first), batch_size)
