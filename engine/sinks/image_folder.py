"""A folder of single images named by sample index, encoded by a few threads while sampling goes on.

The manifest is written without files when the first image is there, and again at the end with all
of them: whatever happens in between, what stands in the folder is whole and says how to make the
rest, and a run that fails before its first batch leaves nothing.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.core.errors import OutputError
from engine.core.files import atomic_path
from engine.sinks.coding import Coding, check_images
from engine.sinks.encoders.base import Encode
from engine.sinks.folder import digits_for, earlier_run
from engine.sinks.manifest import FOLDER_MANIFEST, FileRecord, Manifest, write_manifest
from engine.sinks.pipeline import ahead_of, overlap
from engine.sinks.space import check_folder, check_room_for_files
from engine.sinks.whole import is_whole_image

METADATA_NAME = "metadata.csv"

# Images handed to a thread at once.
_BLOCK_IMAGES = 16
# One record of the manifest stands for so many images: a million of them make 130 kB.
_GROUP_IMAGES = 1024

Images = npt.NDArray[Any]
Labels = npt.NDArray[np.int64] | None
Block = tuple[int, Images]


class ImageFolder:
    """The folder `path` with the samples of one manifest, new or resumed.

    Raises OptionError for samples that the format cannot hold, when the folder holds another run,
    or any run and `resume` is off; OutputError when it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        coding: Coding,
        encode: Encode,
        resume: bool = False,
    ) -> None:
        check_images(manifest.shape, manifest.dtype, coding)
        self.path = path
        self._coding = coding
        self._encode = encode
        self._manifest = manifest.replace(complete=False, files=())
        self._digits = digits_for(manifest)
        earlier = earlier_run(path, self._manifest, resume)
        if earlier is None:
            # Before the table of what is there, which takes memory too.
            check_room_for_files(path, manifest.n)
        self._kept = np.zeros(manifest.n, bool)
        if earlier is not None:
            self._take_stock(earlier)
            check_room_for_files(path, manifest.n - self.kept)
        check_folder(path)

    @property
    def kept(self) -> int:
        """How many samples stood in the folder already."""
        return int(self._kept.sum())

    def name(self, index: int) -> str:
        """File name of sample `index`: `00000042.png`."""
        return f"{index:0{self._digits}d}.{self._coding.format}"

    def missing(self) -> Iterator[range]:
        """Runs of consecutive sample indices that are still to be made."""
        edges = np.flatnonzero(np.diff(self._kept, prepend=True, append=True))
        for first, stop in edges.reshape(-1, 2).tolist():
            yield range(self._manifest.start + first, self._manifest.start + stop)

    def write(
        self,
        make: Callable[[range], Iterable[Images]],
        labels: Callable[[range], Labels] | None = None,
        threads: int | None = None,
    ) -> Manifest:
        """Write the missing samples, then the manifest with all files. Raises OutputError.

        make: gives the images of a run in batches [b, H, W, C]; labels: gives their classes, which
        go into `metadata.csv`.
        """
        digests = _GroupDigests(self._manifest.start)
        ahead = ahead_of(_BLOCK_IMAGES * math.prod(self._manifest.shape))
        overlap(self._blocks(make), self._write_block, digests.add, threads, ahead)
        records = []
        for number, run in enumerate(self._groups()):
            digest = digests.of(number, len(run)) or self._digest_on_disk(run)
            records.append(FileRecord(self._group_name(run), digest, run.start, len(run)))
        if labels is not None:
            self._write_metadata(labels)
        finished = self._manifest.replace(complete=True, files=tuple(records))
        write_manifest(self.path / FOLDER_MANIFEST, finished)
        return finished

    def _blocks(self, make: Callable[[range], Iterable[Images]]) -> Iterator[Block]:
        begun = False
        for run in self.missing():
            first = run.start
            for batch in make(run):
                if first + len(batch) > run.stop:
                    raise OutputError(f"more samples came than the {len(run)} that were due")
                if not begun:
                    write_manifest(self.path / FOLDER_MANIFEST, self._manifest)
                    begun = True
                for row in range(0, len(batch), _BLOCK_IMAGES):
                    yield first + row, batch[row : row + _BLOCK_IMAGES]
                first += len(batch)
            if first != run.stop:
                due = len(run)
                raise OutputError(f"{due - (run.stop - first)} samples came where {due} were due")

    def _write_block(self, block: Block) -> tuple[int, list[bytes]]:
        first, images = block
        return first, [self._write_one(first + row, image) for row, image in enumerate(images)]

    def _write_one(self, index: int, image: Images) -> bytes:
        data = self._encode(image)
        target = self.path / self.name(index)
        temporary = self.path / f".{target.name}.{os.getpid()}.tmp"
        # No fsync, which would cost more than the image: a resumed run finds what a crash damaged.
        try:
            temporary.write_bytes(data)
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OutputError(
                f"cannot write {target}: {error.strerror or error}; "
                "the other images are whole, make room and continue with --resume"
            ) from error
        return data

    def _write_metadata(self, labels: Callable[[range], Labels]) -> None:
        """`metadata.csv` as the `imagefolder` loader of Hugging Face's `datasets` reads it."""
        with atomic_path(self.path / METADATA_NAME) as temporary, temporary.open("w") as file:
            file.write("file_name,label\n")
            for run in self._groups():
                classes = labels(run)
                if classes is not None:
                    rows = zip(run, classes.tolist(), strict=True)
                    file.writelines(f"{self.name(index)},{label}\n" for index, label in rows)

    def _groups(self) -> Iterator[range]:
        first = self._manifest.start
        stop = first + self._manifest.n
        for begin in range(first, stop, _GROUP_IMAGES):
            yield range(begin, min(begin + _GROUP_IMAGES, stop))

    def _group_name(self, run: range) -> str:
        if len(run) == 1:
            return self.name(run.start)
        ends = f"{run.start:0{self._digits}d}..{run.stop - 1:0{self._digits}d}"
        return f"{{{ends}}}.{self._coding.format}"

    def _digest_on_disk(self, run: range) -> str:
        digest = hashlib.sha256()
        for index in run:
            digest.update((self.path / self.name(index)).read_bytes())
        return digest.hexdigest()

    def _take_stock(self, earlier: Manifest) -> None:
        """Find the samples that stand whole in the folder.

        A group whose files do not give its hash is made again: nothing tells which of them changed.
        """
        recorded = {record.index: record.sha256 for record in earlier.files}
        for run in self._groups():
            there = [index for index in run if (self.path / self.name(index)).is_file()]
            place = np.array(there, np.int64) - self._manifest.start
            digest = recorded.get(run.start)
            if digest is None or len(there) < len(run):
                self._kept[place] = [self._is_whole(index) for index in there]
            else:
                self._kept[place] = self._digest_on_disk(run) == digest

    def _is_whole(self, index: int) -> bool:
        path = self.path / self.name(index)
        return is_whole_image(path, self._manifest.shape, self._coding.format)


class _GroupDigests:
    """Hashes of groups of files whose bytes all went by, in order."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._number = -1
        self._count = 0
        self._hash = hashlib.sha256()
        self._done: dict[int, tuple[int, str]] = {}

    def add(self, written: tuple[int, list[bytes]]) -> None:
        """Files from index `first` on."""
        first, files = written
        for index, data in enumerate(files, first - self._start):
            number = index // _GROUP_IMAGES
            if number != self._number:
                self._close()
                self._number, self._count, self._hash = number, 0, hashlib.sha256()
            self._hash.update(data)
            self._count += 1

    def of(self, number: int, count: int) -> str | None:
        """The hash of a group of `count` files, None unless that many went by."""
        self._close()
        seen, digest = self._done.get(number, (0, ""))
        return digest if seen == count else None

    def _close(self) -> None:
        if self._number >= 0:
            self._done[self._number] = self._count, self._hash.hexdigest()
            self._number = -1
