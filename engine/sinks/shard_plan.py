"""Which samples are in which shard, and how a stream of batches is cut into blocks of one each."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.core.errors import OptionError, OutputError
from engine.sinks.shard_format import Block, Labels, Samples

Make = Callable[[range], Iterable[Samples]]
LabelsOf = Callable[[range], Labels]

_MOST_SAMPLES = 10_000
_MOST_BYTES = 1 << 30
# What is worked on at once: enough for one call to be worth its cost, few enough to wait in turn.
_BLOCK_SAMPLES = 64
_BLOCK_BYTES = 4 << 20


def shard_size_for(asked: int | None, shape: tuple[int, ...], dtype: npt.DTypeLike) -> int:
    """Samples a shard: as asked for, or 10,000 at most and 1 GB before encoding.

    Raises OptionError for less than one.
    """
    if asked is None:
        return max(1, min(_MOST_SAMPLES, _MOST_BYTES // sample_bytes(shape, dtype)))
    if asked < 1:
        raise OptionError(f"shard size {asked} must be at least 1 sample, like {_MOST_SAMPLES}")
    return asked


def block_size_for(shape: tuple[int, ...], dtype: npt.DTypeLike) -> int:
    """Samples a block: 64 at most and 4 MB."""
    return max(1, min(_BLOCK_SAMPLES, _BLOCK_BYTES // sample_bytes(shape, dtype)))


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """Samples start .. start + n in shards of `size`, cut into blocks of at most `block`."""

    start: int
    n: int
    size: int
    block: int

    def numbers(self) -> range:
        """Numbers of all shards."""
        return range(-(-self.n // self.size))

    def number_of(self, index: int) -> int:
        """The shard of a sample."""
        return (index - self.start) // self.size

    def samples_of(self, number: int) -> range:
        """The samples of a shard."""
        first = self.start + number * self.size
        return range(first, min(first + self.size, self.start + self.n))

    def missing(self, whole: Container[int]) -> Iterator[range]:
        """Runs of consecutive samples of the shards that are not whole."""
        first = stop = self.start
        for number in self.numbers():
            samples = self.samples_of(number)
            if number in whole:
                if first < stop:
                    yield range(first, stop)
                first = samples.stop
            stop = samples.stop
        if first < stop:
            yield range(first, stop)

    def blocks(self, whole: Container[int], make: Make, labels: LabelsOf | None) -> Iterator[Block]:
        """Everything that is missing, in blocks.

        Labels are asked for a shard at a time. Raises OutputError if `make` gives another number of
        samples than it was asked for.
        """
        for run in self.missing(whole):
            index = run.start
            classes: Labels = None
            for batch in make(run):
                if index + len(batch) > run.stop:
                    raise OutputError(f"more samples came than the {len(run)} that were due")
                row = 0
                while row < len(batch):
                    shard = self.samples_of(self.number_of(index))
                    if labels is not None and index == shard.start:
                        classes = labels(shard)
                    count = min(self.block, len(batch) - row, shard.stop - index)
                    place = slice(index - shard.start, index - shard.start + count)
                    part = None if classes is None else classes[place]
                    yield Block(index, batch[row : row + count], part)
                    row += count
                    index += count
            if index != run.stop:
                raise OutputError(f"{index - run.start} samples came where {len(run)} were due")


def sample_bytes(shape: tuple[int, ...], dtype: npt.DTypeLike) -> int:
    """Bytes of one sample in memory."""
    return int(np.prod(shape)) * np.dtype(dtype).itemsize
