"""A folder of shards, each a file of many samples: resumed shard by shard, the same bytes each run.

A shard is written under a temporary name and hashed on the way; when it is whole and on the disk it
is renamed and recorded in the manifest, while the next one is written. A run that is stopped keeps
its recorded shards, whenever it is stopped.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from engine.core.errors import OutputError
from engine.core.files import sha256, write_bytes
from engine.sinks.folder import earlier_run
from engine.sinks.manifest import FOLDER_MANIFEST, FileRecord, Manifest, write_manifest
from engine.sinks.pipeline import ahead_of, overlap
from engine.sinks.shard_file import ShardFile
from engine.sinks.shard_format import Packed, ShardFormat
from engine.sinks.shard_plan import (
    LabelsOf,
    Make,
    ShardPlan,
    block_size_for,
    sample_bytes,
    shard_size_for,
)
from engine.sinks.space import check_folder, check_space

# With so many shards one more may stand in the folder that the manifest does not know yet.
_RECORDS_A_WAIT = 64


class ShardFolder:
    """The folder `path` with the shards of one manifest, new or resumed.

    manifest.shard_size says how many samples a shard holds. Raises OptionError when the folder
    holds another run, or any run and `resume` is off; OutputError when it cannot be written.
    """

    def __init__(
        self, path: Path, manifest: Manifest, format: ShardFormat, resume: bool = False
    ) -> None:
        self.path = path
        self.format = format
        size = shard_size_for(manifest.shard_size, manifest.shape, manifest.dtype)
        block = block_size_for(manifest.shape, manifest.dtype)
        self._block_bytes = block * sample_bytes(manifest.shape, manifest.dtype)
        self.plan = ShardPlan(manifest.start, manifest.n, size, block)
        self._manifest = manifest.replace(complete=False, files=(), shard_size=size)
        earlier = earlier_run(path, self._manifest, resume)
        self._records = {} if earlier is None else self._whole(earlier)
        self._unsaid = 0
        check_space(path, format.least_bytes(manifest.n - self.kept))
        check_folder(path)

    @property
    def kept(self) -> int:
        """How many samples stand in the folder, in whole shards."""
        return sum(record.count or 0 for record in self._records.values())

    def shard_path(self, number: int) -> Path:
        """`samples-000042.tar`."""
        return self.path / f"samples-{number:06d}{self.format.suffix}"

    def write(
        self, make: Make, labels: LabelsOf | None = None, threads: int | None = None
    ) -> Manifest:
        """Write the missing shards, then the manifest and the index. Raises OutputError.

        make: gives the samples of a run in batches [b, ...]; labels: gives their classes.
        """
        whole = frozenset(self._records)
        with _Writer(self) as writer:
            blocks = self.plan.blocks(whole, make, labels)
            overlap(blocks, self.format.pack, writer.write, threads, ahead_of(self._block_bytes))
        finished = self._manifest.replace(complete=True, files=self._sorted())
        for name, data in self.format.index(finished.files, self.path).items():
            write_bytes(self.path / name, data)
        write_manifest(self.path / FOLDER_MANIFEST, finished)
        return finished

    def record(self, number: int, record: FileRecord) -> None:
        """A shard is whole: say so in the manifest, at once or with a few more.

        Each time the manifest is written as a whole; so of many shards, one in so many is waited
        for, and a run that is killed makes as many again.
        """
        self._records[number] = record
        self._unsaid += 1
        if self._unsaid > len(self._records) // _RECORDS_A_WAIT:
            self.say()

    def say(self) -> None:
        """Write the manifest as far as the run has come."""
        self._unsaid = 0
        write_manifest(self.path / FOLDER_MANIFEST, self._manifest.replace(files=self._sorted()))

    def _sorted(self) -> tuple[FileRecord, ...]:
        return tuple(record for _, record in sorted(self._records.items()))

    def _whole(self, earlier: Manifest) -> dict[int, FileRecord]:
        """Records of the shards whose bytes are those that were written, companions there."""
        by_name = {record.name: record for record in earlier.files}
        kept = {}
        for number in self.plan.numbers():
            path = self.shard_path(number)
            record = by_name.get(path.name)
            beside = [path.with_suffix(suffix) for suffix in self.format.companions]
            there = all(item.is_file() for item in (path, *beside))
            if record is not None and there and sha256(path) == record.sha256:
                kept[number] = record
        return kept


class _Writer:
    """Takes blocks in order; a shard that is full is published while the next one is written."""

    def __init__(self, folder: ShardFolder) -> None:
        self._folder = folder
        self._begun = False
        self._shard: ShardFile | None = None
        self._publisher = ThreadPoolExecutor(1, thread_name_prefix="publish")
        self._published: Future[None] | None = None

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        # What is full is published, also when the run is stopped; the rest is dropped.
        self._publisher.shutdown()
        if self._shard is not None:
            self._shard.drop()
        if kind is None:
            self._wait()
        elif self._begun:
            # What stopped the run is what is to be told.
            with suppress(OutputError):
                self._folder.say()

    def write(self, packed: Packed) -> None:
        """Add a block. Raises OutputError, also that of the shard before."""
        number = self._folder.plan.number_of(packed.first)
        if self._published is not None and self._published.done():
            self._wait()
        try:
            shard = self._shard or self._open(number)
            full = shard.add(packed)
        except OSError as error:
            raise self._told(error) from error
        if full:
            self._wait()
            self._shard = None
            self._published = self._publisher.submit(self._publish, number, shard)

    def _open(self, number: int) -> ShardFile:
        folder = self._folder
        if not self._begun:
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.say()
            self._begun = True
        samples = folder.plan.samples_of(number)
        self._shard = ShardFile(folder.shard_path(number), folder.format, samples)
        return self._shard

    def _publish(self, number: int, shard: ShardFile) -> None:
        try:
            record = shard.publish()
        except OSError as error:
            raise self._told(error) from error
        finally:
            shard.drop()
        self._folder.record(number, record)

    def _wait(self) -> None:
        if self._published is not None:
            self._published.result()
            self._published = None

    def _told(self, error: OSError) -> OutputError:
        return OutputError(
            f"cannot write to {self._folder.path}: {error.strerror or error}; whole shards are "
            "kept, make room and continue with --resume"
        )
