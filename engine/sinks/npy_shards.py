"""Shards that are .npy arrays, each memory-mappable with `np.load(path, mmap_mode="r")`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.sinks.arrays import npy_header, raw
from engine.sinks.manifest import FileRecord
from engine.sinks.shard_format import Block, Packed

INDEX_NAME = "index.json"


class NpyShards:
    """Arrays of samples [count, *shape], one a shard."""

    suffix = ".npy"
    companions: tuple[str, ...] = ()

    def __init__(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self._shape = shape
        self._dtype = np.dtype(dtype)

    def least_bytes(self, count: int) -> int:
        """The samples themselves."""
        return count * math.prod(self._shape) * self._dtype.itemsize

    def head(self, run: range) -> bytes:
        """The array's header (NumPy's NEP 1)."""
        return npy_header((len(run), *self._shape), self._dtype)

    def pack(self, block: Block) -> Packed:
        """The samples as they lie in memory."""
        return Packed(block.first, len(block.samples), raw(block.samples, self._dtype))

    def tail(self, length: int) -> bytes:
        """Nothing."""
        return b""

    def beside(self, shard: Path, entries: list[tuple[int, Any]]) -> dict[Path, bytes]:
        """Nothing: every sample has its place."""
        return {}

    def index(self, records: tuple[FileRecord, ...], folder: Path) -> dict[str, bytes]:
        """`index.json`: shape and dtype of a sample, and of each shard its name and samples."""
        content = {
            "shape": self._shape,
            "dtype": self._dtype.str,
            "shards": [
                {"name": item.name, "first": item.index, "count": item.count} for item in records
            ],
        }
        return {INDEX_NAME: (json.dumps(content, indent=1) + "\n").encode()}
