"""The bytes of a `.gen` file: JSON and arrays, hashed, the arrays mapped into memory."""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ArtifactError
from engine.core.files import atomic_path
from engine.program.packed import layout
from engine.program.packed.layout import ALIGNMENT, HEADER_START, MAGIC, PREFIX, VERSION

Floats = NDArray[np.float32]
_REMEDY = "make it again with python -m export.gen"


@dataclass(frozen=True)
class Contents:
    """What a file says about itself, and its arrays (none if only the header was asked for)."""

    header: dict[str, Any]
    arrays: tuple[Floats, ...]


def write(path: str | Path, header: dict[str, Any], arrays: Sequence[Floats]) -> None:
    """Write a file in one step; the same header and arrays give the same bytes.

    An array of two axes or more goes in float16 where that is exact: half the file, nothing lost.
    Raises OutputError.
    """
    stored = [_stored(array) for array in arrays]
    entries = layout.place(stored)
    size = layout.data_size(entries)
    digest = hashlib.sha256()
    chunks: list[memoryview | bytes] = []
    for entry, array in zip(entries, stored, strict=True):
        chunks += [array.reshape(-1).view(np.uint8).data, _padding(entry.size)]
    for chunk in chunks:
        digest.update(chunk)
    values = {
        "content": header,
        "arrays": [
            {"dtype": entry.dtype, "shape": list(entry.shape), "offset": entry.offset}
            for entry in entries
        ],
        "data_sha256": digest.hexdigest(),
    }
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
    start = PREFIX.pack(MAGIC, VERSION, 0, len(text), size)
    body = text + _padding(len(text))
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        file.write(start + hashlib.sha256(start + body).digest() + body)
        for chunk in chunks:
            file.write(chunk)


def read(path: str | Path, *, header_only: bool = False) -> Contents:
    """Read a file. Every byte that is read has been checked against its hash.

    The arrays are read-only views of the mapped file; those stored in float16 are float32 copies.
    With `header_only` the data is neither hashed nor read. Raises ArtifactError.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            text, start, size = _read_header(file)
            values = _parse(text)
            entries = layout.read_entries(values["arrays"], size)
            if header_only:
                return Contents(values["content"], ())
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        data = memoryview(mapped)[start : start + size]
        _check_hash(hashlib.sha256(data), values["data_sha256"], "the weights are")
        arrays = tuple(_view(data, entry, number) for number, entry in enumerate(entries))
        return Contents(values["content"], arrays)
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {error}; {_REMEDY}") from error
    # mmap raises ValueError for a file that has shrunk since.
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: cannot be read: {error}") from error


def _read_header(file: BinaryIO) -> tuple[bytes, int, int]:
    """The header's text, where the data starts, and the data's size, once they are trusted."""
    head = file.read(HEADER_START)
    if not head.startswith(MAGIC):
        raise ArtifactError("not a .gen file, or one changed by a text-mode transfer")
    if len(head) < HEADER_START:
        raise ArtifactError(f"cut short: {len(head)} bytes are less than its first {HEADER_START}")
    _, version, zero, text_size, size = PREFIX.unpack_from(head)
    if version != VERSION:
        raise ArtifactError(
            f"format version {version}, and this package reads version {VERSION} (update the older "
            "of the two)"
        )
    start = HEADER_START + layout.aligned(text_size)
    length = os.fstat(file.fileno()).st_size
    if zero or text_size > layout.LARGEST_HEADER or start + size != length:
        raise ArtifactError(
            f"cut short or damaged: it speaks of a header of {text_size} and data of {size} bytes, "
            f"the file has {length}"
        )
    body = file.read(start - HEADER_START)
    digest = hashlib.sha256(head[: PREFIX.size] + body)
    _check_hash(digest, head[PREFIX.size :].hex(), "the header is")
    return body[:text_size], start, size


def _check_hash(found: hashlib._Hash, stated: str, what: str) -> None:
    if found.hexdigest() != stated:
        raise ArtifactError(f"{what} damaged (the hash differs)")


def _parse(text: bytes) -> dict[str, Any]:
    try:
        values = json.loads(text)
    # Lists within lists, a hundred thousand deep, exhaust the parser's stack.
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"the header is no JSON: {error}") from error
    match values:
        case {"content": dict(), "arrays": list(), "data_sha256": str()} if len(values) == 3:
            return dict(values)
    raise ArtifactError("the header lacks content, arrays or data_sha256, or has more")


def _view(data: memoryview, entry: layout.Entry, number: int) -> Floats:
    dtype = layout.STORED_TYPES[entry.dtype]
    # numpy finds the extremes of float32 ten times as fast as those of float16.
    flat = np.frombuffer(data, dtype, entry.elements, entry.offset).astype(np.float32, copy=False)
    # Extremes carry NaN along, and unlike isfinite they make no array.
    if flat.size and not (np.isfinite(flat.min()) and np.isfinite(flat.max())):
        raise ArtifactError(f"array {number} holds NaN or infinity; the weights are unusable")
    return flat.reshape(entry.shape)


def _stored(array: Floats) -> NDArray[np.floating]:
    array = np.asarray(array, layout.STORED_TYPES["float32"], order="C")
    if array.ndim < 2:
        return array
    # What is too large for float16 becomes infinite, and then differs.
    with np.errstate(over="ignore"):
        half = array.astype(layout.STORED_TYPES["float16"])
    return half if np.array_equal(half.astype(np.float32), array) else array


def _padding(size: int) -> bytes:
    return bytes(-size % ALIGNMENT)
