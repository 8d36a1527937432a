"""What a kind of shard is: how blocks of samples become the bytes of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.sinks.manifest import FileRecord

Samples = npt.NDArray[Any]
Labels = npt.NDArray[np.int64] | None


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
