"""A folder of shards, each a file of many samples: resumed shard by shard, the same bytes each run.

A shard is written under a temporary name and hashed on the way; when it is whole it is renamed and
recorded in the manifest. A run that is stopped keeps its recorded shards, whenever it is stopped.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.core.errors import OptionError, OutputError
from engine.core.files import sha256, write_bytes
from engine.sinks.folder import earlier_run
from engine.sinks.manifest import FOLDER_MANIFEST, FileRecord, Manifest, write_manifest
from engine.sinks.pipeline import overlap
from engine.sinks.space import check_folder, check_space

Samples = npt.NDArray[Any]
Labels = npt.NDArray[np.int64] | None
Make = Callable[[range], Iterable[Samples]]

_MOST_SAMPLES = 10_000
_MOST_BYTES = 1 << 30
# What is worked on at once: enough for one call to be worth its cost, few enough to wait in turn.
_BLOCK_SAMPLES = 64
_BLOCK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Block:
    """Consecutive samples of one shard, with the labels of conditional models."""

    first: int
    samples: Samples
    labels: Labels


@dataclass(frozen=True, slots=True)
class Packed:
    """A block as the bytes of its shard; `entry` is what the format wants to know at its end."""

    first: int
    count: int
    data: Any
    entry: Any = None


class ShardFormat(Protocol):
    """How samples become the bytes of a shard."""

    suffix: str
    # Suffixes of the small files that stand beside each shard.
    companions: tuple[str, ...]

    def least_bytes(self, count: int) -> int:
        """What `count` samples take at least."""
        ...

    def head(self, run: range) -> bytes:
        """What comes before the samples of `run`."""
        ...

    def pack(self, block: Block) -> Packed:
        """A block as bytes. Called in several threads."""
        ...

    def tail(self, length: int) -> bytes:
        """What comes after `length` bytes of samples."""
        ...

    def beside(self, shard: Path, entries: list[tuple[int, Any]]) -> dict[Path, bytes]:
        """The companions of a shard; entries: (bytes before the block, its entry)."""
        ...

    def index(self, records: tuple[FileRecord, ...], folder: Path) -> dict[str, bytes]:
        """Small files about all shards, by name."""
        ...


def shard_size_for(asked: int | None, shape: tuple[int, ...], dtype: npt.DTypeLike) -> int:
    """Samples a shard: as asked for, or 10,000 at most and 1 GB before encoding.

    Raises OptionError for less than one.
    """
    if asked is None:
        sample_bytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return max(1, min(_MOST_SAMPLES, _MOST_BYTES // sample_bytes))
    if asked < 1:
        raise OptionError(f"shard size {asked} must be at least 1 sample, like {_MOST_SAMPLES}")
    return asked


class ShardFolder:
    """The folder `path` with the shards of one manifest, new or resumed.

    manifest.shard_size says how many samples a shard holds. Raises OptionError when the folder
    holds another run, or any run and `resume` is off; OutputError when it cannot be written.
    """

    def __init__(
        self, path: Path, manifest: Manifest, format: ShardFormat, resume: bool = False
    ) -> None:
        self.path = path
        self._format = format
        self._size = shard_size_for(manifest.shard_size, manifest.shape, manifest.dtype)
        self._manifest = manifest.replace(complete=False, files=(), shard_size=self._size)
        earlier = earlier_run(path, self._manifest, resume)
        self._records = {} if earlier is None else self._whole(earlier)
        check_space(path, format.least_bytes(manifest.n - self.kept))
        check_folder(path)

    @property
    def kept(self) -> int:
        """How many samples stood in the folder already, in whole shards."""
        return sum(record.count or 0 for record in self._records.values())

    def shards(self) -> Iterator[tuple[int, range]]:
        """Number and samples of every shard."""
        manifest = self._manifest
        stop = manifest.start + manifest.n
        for number in range(-(-manifest.n // self._size)):
            first = manifest.start + number * self._size
            yield number, range(first, min(first + self._size, stop))

    def shard_path(self, number: int) -> Path:
        """`samples-000042.tar`."""
        return self.path / f"samples-{number:06d}{self._format.suffix}"

    def write(
        self,
        make: Make,
        labels: Callable[[range], Labels] | None = None,
        threads: int | None = None,
    ) -> Manifest:
        """Write the missing shards, then the manifest and the index. Raises OutputError.

        make: gives the samples of a run in batches [b, ...]; labels: gives their classes.
        """
        open_shard = _OpenShards(self)
        try:
            overlap(self._blocks(make, labels), self._format.pack, open_shard.write, threads)
        except OSError as error:
            raise OutputError(
                f"cannot write to {self.path}: {error.strerror or error}; whole shards are kept, "
                "make room and continue with --resume"
            ) from error
        finally:
            open_shard.drop()
        finished = self._manifest.replace(complete=True, files=self._sorted())
        for name, data in self._format.index(finished.files, self.path).items():
            write_bytes(self.path / name, data)
        write_manifest(self.path / FOLDER_MANIFEST, finished)
        return finished

    def record(self, number: int, record: FileRecord) -> None:
        """A shard is whole: say so in the manifest."""
        self._records[number] = record
        self.state()

    def state(self) -> None:
        """Write the manifest as far as the run has come."""
        write_manifest(self.path / FOLDER_MANIFEST, self._manifest.replace(files=self._sorted()))

    @property
    def format(self) -> ShardFormat:
        """How samples become bytes."""
        return self._format

    def number_of(self, index: int) -> int:
        """The shard of a sample."""
        return (index - self._manifest.start) // self._size

    def samples_of(self, number: int) -> range:
        """The samples of a shard."""
        first = self._manifest.start + number * self._size
        return range(first, min(first + self._size, self._manifest.start + self._manifest.n))

    def _blocks(self, make: Make, labels: Callable[[range], Labels] | None) -> Iterator[Block]:
        size = self._block_size()
        for run in self._missing():
            index = run.start
            classes: Labels = None
            for batch in make(run):
                if index + len(batch) > run.stop:
                    raise OutputError(f"more samples came than the {len(run)} that were due")
                row = 0
                while row < len(batch):
                    shard = self.samples_of(self.number_of(index))
                    if labels is not None and (index == run.start or index == shard.start):
                        classes = labels(shard)
                    count = min(size, len(batch) - row, shard.stop - index)
                    place = slice(index - shard.start, index - shard.start + count)
                    part = None if classes is None else classes[place]
                    yield Block(index, batch[row : row + count], part)
                    row += count
                    index += count
            if index != run.stop:
                raise OutputError(f"{index - run.start} samples came where {len(run)} were due")

    def _missing(self) -> Iterator[range]:
        """Runs of consecutive samples whose shards are still to be made."""
        first = stop = self._manifest.start
        for number, samples in self.shards():
            if number in self._records:
                if first < stop:
                    yield range(first, stop)
                first = samples.stop
            stop = samples.stop
        if first < stop:
            yield range(first, stop)

    def _block_size(self) -> int:
        manifest = self._manifest
        sample_bytes = int(np.prod(manifest.shape)) * np.dtype(manifest.dtype).itemsize
        return max(1, min(_BLOCK_SAMPLES, _BLOCK_BYTES // sample_bytes))

    def _sorted(self) -> tuple[FileRecord, ...]:
        return tuple(record for _, record in sorted(self._records.items()))

    def _whole(self, earlier: Manifest) -> dict[int, FileRecord]:
        """Records of the shards whose bytes are those that were written, companions there."""
        by_name = {record.name: record for record in earlier.files}
        kept = {}
        for number, _ in self.shards():
            path = self.shard_path(number)
            record = by_name.get(path.name)
            beside = [path.with_suffix(suffix) for suffix in self._format.companions]
            there = all(item.is_file() for item in (path, *beside))
            if record is not None and there and sha256(path) == record.sha256:
                kept[number] = record
        return kept


class _OpenShards:
    """The shard that is being written; the writer's thread calls `write` with blocks in order."""

    def __init__(self, folder: ShardFolder) -> None:
        self._folder = folder
        self._begun = False
        self._number = -1
        self._temporary: Path | None = None
        self._file: Any = None
        self._hash = hashlib.sha256()
        self._length = 0
        self._entries: list[tuple[int, Any]] = []

    def write(self, packed: Packed) -> None:
        """Add a block; a shard that is full is closed, renamed and recorded."""
        number = self._folder.number_of(packed.first)
        if self._file is None:
            self._open(number)
        self._entries.append((self._length, packed.entry))
        self._put(packed.data)
        if packed.first + packed.count == self._folder.samples_of(number).stop:
            self._close()

    def drop(self) -> None:
        """Remove a shard that was not finished."""
        if self._file is not None:
            self._file.close()
        if self._temporary is not None:
            self._temporary.unlink(missing_ok=True)

    def _open(self, number: int) -> None:
        folder = self._folder
        if not self._begun:
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.state()
            self._begun = True
        self._number = number
        path = folder.shard_path(number)
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._file = self._temporary.open("wb", buffering=0)
        self._hash = hashlib.sha256()
        self._length = 0
        self._entries = []
        self._put(folder.format.head(folder.samples_of(number)))

    def _put(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        self._hash.update(view)
        self._length += len(view)
        while len(view):
            view = view[self._file.write(view) :]

    def _close(self) -> None:
        folder, path = self._folder, self._folder.shard_path(self._number)
        samples = folder.samples_of(self._number)
        self._put(folder.format.tail(self._length))
        _sync(self._file.fileno())
        self._file.close()
        for beside, data in folder.format.beside(path, self._entries).items():
            write_bytes(beside, data)
        assert self._temporary is not None
        self._temporary.replace(path)
        self._file = self._temporary = None
        digest = self._hash.hexdigest()
        folder.record(self._number, FileRecord(path.name, digest, samples.start, len(samples)))


def _sync(handle: int) -> None:
    os.fsync(handle)
