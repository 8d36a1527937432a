"""Arrays of a `.npz` file: no pickle is executed, and no size is believed before it is checked.

`np.load` allocates what a member's header asks for, and inflates what the archive holds, however
much that is. Here what the archive, its members and their headers say must agree, and stay within
limits, before memory is taken for it.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ArtifactError
from engine.core.npy import Header, read_header
from engine.core.zips import CHUNK_BYTES, LIMIT_BYTES, open_zip

_SUFFIX = ".npy"


def read_npz(path: str | Path, limit_bytes: int = LIMIT_BYTES) -> dict[str, NDArray[Any]]:
    """Arrays by name, in the order of the file, as `np.savez` or `np.savez_compressed` wrote them.

    Numbers and text, in the byte order of this machine. Raises ArtifactError for a file that is
    missing, damaged or no `.npz`, for pickled objects, for a name that stands twice, and for one
    that would inflate to more than `limit_bytes` or to a hundred times its size.
    """
    with open_zip(Path(path), limit_bytes) as (archive, members):
        for member in members:
            if not member.filename.endswith(_SUFFIX):
                raise ArtifactError(f"not a .npz file: {member.filename!r} is no .npy array")
        return {member.filename[: -len(_SUFFIX)]: _read(archive, member) for member in members}


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
        chunk = stream.read(min(CHUNK_BYTES, len(data) - filled))
        if not chunk:
            raise ArtifactError(f"cut short: {filled} of {len(data)} bytes")
        data[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
        filled += len(chunk)
    shape = header.shape[::-1] if header.fortran_order else header.shape
    array = data.view(header.dtype).reshape(shape)
    array = array.astype(header.dtype.newbyteorder("="), copy=False)
    return array.T if header.fortran_order else array
