"""Arrays of a `.npz` file: no pickle is executed, and no size is believed before it is checked.

`np.load` allocates what a member's header asks for, and inflates what the archive holds, however
much that is. Here what the archive, its members and their headers say must agree, and stay within
limits, before memory is taken for it.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ArtifactError
from engine.core.npy import Header, read_header
from engine.core.units import human_bytes

LIMIT_BYTES = 16 << 30
# Trained weights deflate to nine tenths. Arrays of zeros to a thousandth, which small files may.
_LARGEST_RATIO = 100
_ANY_RATIO_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1
# The record that ends an archive, with its number of members at byte 10; all ones: see elsewhere.
_END_BYTES = 22
_UNSTATED = 0xFFFF


def read_npz(path: str | Path, limit_bytes: int = LIMIT_BYTES) -> dict[str, NDArray[Any]]:
    """Arrays by name, in the order of the file, as `np.savez` or `np.savez_compressed` wrote them.

    Numbers and text, in the byte order of this machine. Raises ArtifactError for a file that is
    missing, damaged or no `.npz`, for pickled objects, for a name that stands twice, and for one
    that would inflate to more than `limit_bytes` or to a hundred times its size.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(members, path.stat().st_size, limit_bytes)
            _check_count(path, len(members), len(archive.comment))
            return {member.filename[: -len(".npy")]: _read(archive, member) for member in members}
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: no such file") from error
    except (ArtifactError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise ArtifactError(f"{path}: not a usable .npz file: {error}") from error
    except MemoryError as error:
        raise ArtifactError(f"{path}: its arrays do not fit into memory") from error
    # What zipfile and struct raise for damaged fields: a version, a flag, a name in no encoding.
    except (ValueError, RuntimeError, OverflowError) as error:
        raise ArtifactError(f"{path}: a damaged .npz file: {error}") from error


def _check_members(members: Sequence[zipfile.ZipInfo], size: int, limit_bytes: int) -> None:
    known: Mapping[int, str] = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
    names: set[str] = set()
    for member in members:
        if not member.filename.endswith(".npy"):
            raise ArtifactError(f"the member {member.filename!r} is no .npy array")
        if member.filename in names:
            raise ArtifactError(f"the array {member.filename!r} stands twice in it")
        if member.compress_type not in known or member.flag_bits & _ENCRYPTED:
            raise ArtifactError(
                f"the array {member.filename!r} is encrypted, or compressed in another way than "
                "np.savez_compressed does it"
            )
        names.add(member.filename)
    packed = sum(member.compress_size for member in members)
    if packed > size:
        raise ArtifactError(f"its arrays take {packed} bytes and lie in {size}: they overlap")
    total = sum(member.file_size for member in members)
    largest = min(limit_bytes, max(_ANY_RATIO_BYTES, _LARGEST_RATIO * size))
    if total > largest:
        raise ArtifactError(
            f"it would inflate from {human_bytes(size)} to {human_bytes(total)}; at most "
            f"{human_bytes(largest)} are read"
        )


def _check_count(path: Path, found: int, comment_bytes: int) -> None:
    """A damaged length in the directory swallows entries, which zipfile does not miss."""
    with open(path, "rb") as file:
        file.seek(-_END_BYTES - comment_bytes, os.SEEK_END)
        stated = int.from_bytes(file.read(_END_BYTES)[10:12], "little")
    if stated not in (found, _UNSTATED):
        raise ArtifactError(f"its directory speaks of {stated} arrays and lists {found}")


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    try:
        with archive.open(member) as stream:
            header = read_header(stream)
            _check_size(header, member.file_size)
            # The last read compares the archive's checksum.
            return _filled(stream, header)
    except (ArtifactError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ArtifactError(f"the array {member.filename!r}: {error}") from error


def _check_size(header: Header, found: int) -> None:
    stated = header.size + header.data_bytes
    if stated != found:
        raise ArtifactError(f"has {found} bytes, and its header speaks of {stated}")


def _filled(stream: Any, header: Header) -> NDArray[Any]:
    data = np.empty(header.data_bytes, np.uint8)
    filled = 0
    while filled < len(data):
        chunk = stream.read(min(_CHUNK_BYTES, len(data) - filled))
        if not chunk:
            raise ArtifactError(f"cut short: {filled} of {len(data)} bytes")
        data[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
        filled += len(chunk)
    shape = header.shape[::-1] if header.fortran_order else header.shape
    array = data.view(header.dtype).reshape(shape)
    array = array.astype(header.dtype.newbyteorder("="), copy=False)
    return array.T if header.fortran_order else array
