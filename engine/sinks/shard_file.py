"""One shard while it is written: a temporary file, hashed on the way."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from engine.core.files import write_bytes
from engine.sinks.manifest import FileRecord
from engine.sinks.shard_format import Packed, ShardFormat


class ShardFile:
    """A shard with the samples of `run`, to be published as `path`. Raises OSError."""

    def __init__(self, path: Path, format: ShardFormat, run: range) -> None:
        self._path = path
        self._format = format
        self._run = run
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._file = self._temporary.open("wb", buffering=0)
        self._hash = hashlib.sha256()
        self._length = 0
        self._entries: list[tuple[int, Any]] = []
        self._put(format.head(run))

    def add(self, packed: Packed) -> bool:
        """Write a block; whether the shard is full now."""
        self._entries.append((self._length, packed.entry))
        self._put(packed.data)
        return packed.first + packed.count == self._run.stop

    def publish(self) -> FileRecord:
        """Write the end and the companions, and give the shard its name."""
        self._put(self._format.tail(self._length))
        _sync(self._file.fileno())
        self._file.close()
        for path, data in self._format.beside(self._path, self._entries).items():
            write_bytes(path, data)
        self._temporary.replace(self._path)
        return FileRecord(self._path.name, self._hash.hexdigest(), self._run.start, len(self._run))

    def drop(self) -> None:
        """Remove what was written, unless it was published."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def _put(self, data: Any) -> None:
        view = memoryview(data).cast("B")
        self._hash.update(view)
        self._length += len(view)
        while len(view):
            view = view[self._file.write(view) :]


def _sync(handle: int) -> None:
    os.fsync(handle)
