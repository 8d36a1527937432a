"""All samples in one array file, written as they come: .npy and .npz (NumPy's NEP 1 format).

Sequential writes need no more memory than one batch, as a memory map would, and a full disk is an
error here where a memory map ends the process with SIGBUS.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from engine.core.errors import OutputError
from engine.core.files import atomic_path
from engine.sinks.space import check_file, check_space

Array = npt.NDArray[Any]


def check_room(path: Path, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """Raise OutputError unless an array of this size can be written to `path`."""
    check_space(path.parent, math.prod(shape) * np.dtype(dtype).itemsize)
    check_file(path)


def write_npy(
    path: Path, batches: Iterable[Array], shape: tuple[int, ...], dtype: npt.DTypeLike
) -> None:
    """Write batches [b, ...] as one array of `shape` [n, ...].

    Raises OutputError, also when the disk has too little room to begin with; then nothing is left.
    """
    check_room(path, shape, dtype)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        _write_array(file, batches, shape, np.dtype(dtype))


def write_npz(
    path: Path,
    batches: Iterable[Array],
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    extra: Mapping[str, Array],
    name: str = "images",
) -> None:
    """Write batches [b, ...] as array `name` of `shape` [n, ...], and the extra arrays beside it.

    Not compressed: generated images shrink little, and reading stays fast. Raises OutputError.
    """
    check_room(path, shape, dtype)
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with _member(archive, name) as file:
            _write_array(file, batches, shape, np.dtype(dtype))
        for key, array in extra.items():
            with _member(archive, key) as file:
                _write_array(file, [array], array.shape, array.dtype)


def _member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    # A ZipInfo of its own has a fixed date: equal samples give equal files.
    return archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True)


def _write_array(
    file: IO[bytes], parts: Iterable[Array], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> None:
    header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    written = 0
    for part in parts:
        file.write(np.ascontiguousarray(part, dtype).tobytes())
        written += part.size
    if written != math.prod(shape):
        raise OutputError(f"{written} values came for an array of shape {list(shape)}")
