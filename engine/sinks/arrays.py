"""All samples in one array file, written as they come: .npy and .npz (NumPy's NEP 1 format).

Sequential writes need no more memory than a few batches, as a memory map would, and a full disk is
an error here where a memory map ends the process with SIGBUS. What is written can be mapped:
`np.load(path, mmap_mode="r")`.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from engine.core.errors import OutputError
from engine.core.files import atomic_path
from engine.sinks.pipeline import ahead_of, overlap
from engine.sinks.space import check_file, check_space

Array = npt.NDArray[Any]

# Large parts are handed over in pieces of this size: what is under way is bounded in bytes.
_PIECE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Parts:
    """An array of `shape` [n, ...] that comes in parts [b, ...]."""

    parts: Iterable[Array]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, array: Array) -> Parts:
        """A whole array as its only part."""
        return cls([array], array.shape, array.dtype)


def check_room(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """Raise OutputError unless an array of this size can be written to `path`."""
    check_space(path.parent, math.prod(shape) * np.dtype(dtype).itemsize)
    check_file(path)


def write_npy(path: Path, samples: Parts) -> str:
    """Write one array; gives the SHA-256 of the file, in hex.

    Raises OutputError, also when the disk has too little room to begin with; then nothing is left.
    """
    check_room(path, samples.shape, samples.dtype)
    digest = hashlib.sha256()
    with atomic_path(path) as temporary, temporary.open("wb") as file:

        def put(data: Any) -> None:
            file.write(data)
            digest.update(data)

        _write_array(put, samples)
    return digest.hexdigest()


def write_npz(path: Path, arrays: Mapping[str, Parts]) -> None:
    """Write arrays, one after the other, under their names. Raises OutputError.

    Not compressed: generated images shrink little, and reading stays fast.
    """
    size = sum(math.prod(array.shape) * array.dtype.itemsize for array in arrays.values())
    check_room(path, (size,), np.uint8)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            with _member(archive, name) as file:
                _write_array(file.write, array)


def npy_header(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """What stands before the values in a .npy file."""
    buffer = io.BytesIO()
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue()


def raw(array: Array, dtype: np.dtype[Any]) -> Any:
    """The values in C order as bytes, copied only where they must be."""
    return np.ascontiguousarray(array, dtype).reshape(-1).view(np.uint8).data


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    # A ZipInfo of its own has a fixed date: equal samples give equal files.
    return archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)


def _write_array(put: Callable[[Any], object], array: Parts) -> None:
    put(npy_header(array.shape, array.dtype))
    written = 0

    def count(data: Any) -> None:
        nonlocal written
        put(data)
        written += len(data)

    row_bytes = math.prod(array.shape[1:]) * array.dtype.itemsize
    rows = max(1, _PIECE_BYTES // max(1, row_bytes))
    overlap(
        _pieces(array.parts, rows),
        lambda piece: raw(piece, array.dtype),
        count,
        # Enough to copy.
        threads=1,
        ahead=ahead_of(rows * row_bytes),
    )
    if written != math.prod(array.shape) * array.dtype.itemsize:
        raise OutputError(
            f"{written // array.dtype.itemsize} values came for an array of shape "
            f"{list(array.shape)}"
        )


def _pieces(parts: Iterable[Array], rows: int) -> Iterator[Array]:
    for part in parts:
        if part.ndim == 0:
            yield part
            continue
        for row in range(0, len(part), rows):
            yield part[row : row + rows]
