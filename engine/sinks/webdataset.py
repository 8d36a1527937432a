"""Shards that are WebDataset archives: tar files in which the members of a sample share their key.

Sample 42 is `00000042.jpg` (png, webp, npy), `00000042.json` with its index and class, and for
conditional models `00000042.cls` with the class alone, as `webdataset` decodes it. Beside each
shard stands the offset index that NVIDIA DALI's reader takes (`wds2idx`, v1.2), and `index.json`
lists the shards as `wids` wants it (wids-shard-index-v1).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.sinks import tar
from engine.sinks.arrays import npy_header, raw
from engine.sinks.encoders.base import Encode
from engine.sinks.manifest import FileRecord
from engine.sinks.shard_format import Block, Packed

INDEX_NAME = "index.json"


class WebDataset:
    """Archives of samples that `encode` turns into files named `extension`.

    digits: of the keys, zeros included. labelled: whether samples have classes.
    """

    suffix = ".tar"
    companions: tuple[str, ...] = (".idx",)

    def __init__(self, extension: str, encode: Encode, digits: int, labelled: bool) -> None:
        self._encode = encode
        self._digits = digits
        self._labelled = labelled
        self._extensions = (extension, "json", *(("cls",) if labelled else ()))

    def least_bytes(self, count: int) -> int:
        """A header and a block for each member."""
        return count * len(self._extensions) * 2 * tar.BLOCK_BYTES

    def head(self, run: range) -> bytes:
        """Nothing."""
        return b""

    def pack(self, block: Block) -> Packed:
        """Encode the samples, and lay out their members."""
        encode, count = self._encode, len(block.samples)
        indices = range(block.first, block.first + count)
        columns = [[encode(sample) for sample in block.samples]]
        if self._labelled and block.labels is not None:
            labels = block.labels.tolist()
            columns += [
                [
                    b'{"index": %d, "label": %d}' % pair
                    for pair in zip(indices, labels, strict=True)
                ],
                [b"%d" % label for label in labels],
            ]
        else:
            columns.append([b'{"index": %d}' % index for index in indices])
        contents = list(zip(self._extensions, columns, strict=True))
        members = tar.pack(block.first, self._digits, contents)
        return Packed(
            block.first, count, members.data, (block.first, members.offsets, members.sizes)
        )

    def tail(self, length: int) -> bytes:
        """The end of the archive."""
        return tar.trailer(length)

    def beside(self, shard: Path, entries: list[tuple[int, Any]]) -> dict[Path, bytes]:
        """The index of members: extension, offset, size and name of each, one line a sample."""
        lines: list[str] = []
        for base, (first, offsets, sizes) in entries:
            for row, places in enumerate(
                zip((offsets + base).tolist(), sizes.tolist(), strict=True)
            ):
                key = f"{first + row:0{self._digits}d}"
                lines.append(
                    " ".join(
                        f"{extension} {offset} {size} {key}.{extension}"
                        for extension, offset, size in zip(self._extensions, *places, strict=True)
                    )
                )
        text = "\n".join([f"v1.2 {len(lines)}", *lines, ""])
        return {shard.with_suffix(self.companions[0]): text.encode()}

    def index(self, records: tuple[FileRecord, ...], folder: Path) -> dict[str, bytes]:
        """The list of shards, with hashes."""
        content = {
            "__kind__": "wids-shard-index-v1",
            "wids_version": 1,
            "shardlist": [
                {
                    "url": record.name,
                    "nsamples": record.count,
                    "filesize": (folder / record.name).stat().st_size,
                    "sha256": record.sha256,
                }
                for record in records
            ],
        }
        return {INDEX_NAME: (json.dumps(content, indent=1) + "\n").encode()}


def npy_encoder(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Callable[[Any], bytes]:
    """A function from a sample to the bytes of a .npy file."""
    header, kind = npy_header(shape, np.dtype(dtype)), np.dtype(dtype)

    def encode(sample: npt.NDArray[Any]) -> bytes:
        return header + bytes(raw(sample, kind))

    return encode
