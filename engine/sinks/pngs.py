"""A folder of single PNGs named by sample index, encoded by a few threads while sampling goes on.

The manifest is written without files when the first batch is there, and again at the end with all
of them: whatever happens in between, what stands in the folder is whole and says how to make the
rest, and a run that fails before its first batch leaves nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.core.errors import OptionError, OutputError
from engine.core.files import sha256
from engine.sinks.manifest import (
    FOLDER_MANIFEST,
    FileRecord,
    Manifest,
    read_manifest,
    write_manifest,
)
from engine.sinks.png import check_image_shape, encode_png, is_whole_png
from engine.sinks.space import check_folder, check_room_for_files

_THREADS = min(4, os.cpu_count() or 1)
# Images handed to a thread at once, and how many such blocks may wait.
_BLOCK_IMAGES = 16
_QUEUE_BLOCKS = 4 * _THREADS
_SAMPLE_NAME = re.compile(r"\d{8,}\.png")

Images = npt.NDArray[Any]


class PngFolder:
    """The folder `path` with the samples of one manifest, new or resumed.

    Raises OptionError when the folder holds another run, or any run and `resume` is off;
    OutputError when it cannot be written.
    """

    def __init__(self, path: Path, manifest: Manifest, resume: bool = False) -> None:
        check_image_shape(manifest.shape)
        self.path = path
        self._manifest = manifest.replace(complete=False, files=())
        self._digits = max(8, len(str(manifest.start + manifest.n - 1)))
        self._kept = self._take_stock(resume) if path.is_dir() else {}
        check_room_for_files(path, manifest.n - len(self._kept))
        check_folder(path)

    @property
    def kept(self) -> int:
        """How many samples stood in the folder already."""
        return len(self._kept)

    def name(self, index: int) -> str:
        """File name of sample `index`: `00000042.png`."""
        return f"{index:0{self._digits}d}.png"

    def missing(self) -> Iterator[range]:
        """Runs of consecutive sample indices that are still to be made."""
        first = self._manifest.start
        stop = first + self._manifest.n
        for index in sorted(self._kept):
            if index > first:
                yield range(first, index)
            first = index + 1
        if first < stop:
            yield range(first, stop)

    def write(
        self,
        make: Callable[[range], Iterable[Images]],
        labels: npt.NDArray[np.int64] | None = None,
    ) -> Manifest:
        """Write the missing samples, then the manifest with all files. Raises OutputError.

        `make` gives the images of a run in batches [b, H, W, C]; `labels` [n] go into the manifest.
        """
        digests = dict(self._kept)
        begun = False
        with _pool() as pool:
            pending: deque[Future[dict[int, str]]] = deque()
            for run in self.missing():
                first = run.start
                for batch in make(run):
                    if not begun:
                        write_manifest(self.path / FOLDER_MANIFEST, self._manifest)
                        begun = True
                    for row in range(0, len(batch), _BLOCK_IMAGES):
                        if len(pending) >= _QUEUE_BLOCKS:
                            digests.update(pending.popleft().result())
                        block = batch[row : row + _BLOCK_IMAGES]
                        pending.append(pool.submit(self._write_block, first + row, block))
                    first += len(batch)
            for future in pending:
                digests.update(future.result())
        finished = self._manifest.replace(complete=True, files=self._records(digests, labels))
        write_manifest(self.path / FOLDER_MANIFEST, finished)
        return finished

    def _records(
        self, digests: dict[int, str], labels: npt.NDArray[np.int64] | None
    ) -> tuple[FileRecord, ...]:
        start = self._manifest.start
        return tuple(
            FileRecord(
                name=self.name(index),
                sha256=digest,
                index=index,
                label=None if labels is None else int(labels[index - start]),
            )
            for index, digest in sorted(digests.items())
        )

    def _write_block(self, first: int, images: Images) -> dict[int, str]:
        return {
            first + row: self._write_one(first + row, image) for row, image in enumerate(images)
        }

    def _write_one(self, index: int, image: Images) -> str:
        data = encode_png(image)
        target = self.path / self.name(index)
        temporary = self.path / f".{target.name}.{os.getpid()}.tmp"
        # No fsync, which would cost more than the image: `_whole` finds what a crash damaged.
        try:
            temporary.write_bytes(data)
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OutputError(
                f"cannot write {target}: {error.strerror or error}; "
                "the other images are whole, make room and continue with --resume"
            ) from error
        return hashlib.sha256(data).hexdigest()

    def _take_stock(self, resume: bool) -> dict[int, str]:
        """Hashes of the samples that stand whole in the folder, by index."""
        earlier = read_manifest(self.path / FOLDER_MANIFEST)
        present = [item.name for item in self.path.iterdir() if _SAMPLE_NAME.fullmatch(item.name)]
        if not present:
            # A manifest alone is what a run left that made nothing.
            return {}
        if earlier is None:
            raise OptionError(
                f"{self.path} holds {len(present)} numbered images and no {FOLDER_MANIFEST}; "
                "choose an empty folder"
            )
        if not resume:
            raise OptionError(
                f"{self.path} holds a run already; "
                "continue it with --resume or choose an empty folder"
            )
        if differences := earlier.differences(self._manifest):
            raise OptionError(
                f"{self.path} holds a run with other settings ({'; '.join(differences)}); "
                "resume with the same ones or choose an empty folder"
            )
        for leftover in self.path.glob(".*.png.*.tmp"):
            leftover.unlink(missing_ok=True)
        return self._whole(present, {record.name: record.sha256 for record in earlier.files})

    def _whole(self, present: Iterable[str], recorded: dict[str, str]) -> dict[int, str]:
        manifest = self._manifest
        kept = {}
        for name in present:
            path, index = self.path / name, int(Path(name).stem)
            wanted = 0 <= index - manifest.start < manifest.n and name == self.name(index)
            if not wanted or not is_whole_png(path, manifest.shape):
                continue
            digest = sha256(path)
            if recorded.get(name, digest) == digest:
                kept[index] = digest
        return kept


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="png")
    try:
        yield pool
    finally:
        # After an error or Ctrl-C queued images are dropped; those being written are finished.
        pool.shutdown(cancel_futures=True)
