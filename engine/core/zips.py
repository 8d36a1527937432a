"""Zip archives (`.npz`, checkpoints, programs) whose directory is checked before it is believed.

Readers of archives differ in what they make of one that contradicts itself, and inflate what it
holds, however much that is. So names, numbers and sizes must agree, and stay within a limit.
"""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.core.errors import ArtifactError
from engine.core.units import human_bytes

LIMIT_BYTES = 16 << 30
CHUNK_BYTES = 1 << 20
# Trained weights deflate to nine tenths. Arrays of zeros to a thousandth, which small files may.
_LARGEST_RATIO = 100
_ANY_RATIO_BYTES = 64 << 20
_ENCRYPTED = 0x1
# Ends an archive: signature, disks, members, size and place of the directory, comment's length.
_END = struct.Struct("<4s4H2IH")
_ELSEWHERE = 0xFFFF, 0xFFFFFFFF


@contextmanager
def open_zip(
    path: Path, limit_bytes: int = LIMIT_BYTES
) -> Iterator[tuple[zipfile.ZipFile, Sequence[zipfile.ZipInfo]]]:
    """An archive and its members, which hold at most `limit_bytes` and a hundred times the file.

    Raises ArtifactError naming the path, for damage found while it is open as well.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_end(path, archive)
            _check_members(members, path.stat().st_size, limit_bytes)
            yield archive, members
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: no such file") from error
    except ArtifactError as error:
        raise ArtifactError(f"{path}: {str(error)[:200]}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise ArtifactError(
            f"{path}: not an archive, damaged, or cut short: {str(error)[:200]}"
        ) from error
    except MemoryError as error:
        raise ArtifactError(f"{path}: what it holds does not fit into memory") from error
    # What zipfile and struct raise for damaged fields: a version, a flag, a name in no encoding.
    except (ValueError, RuntimeError, OverflowError, struct.error) as error:
        raise ArtifactError(f"{path}: a damaged archive: {str(error)[:200]}") from error


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """The bytes of a member; its checksum is compared. Raises what zipfile raises."""
    data = archive.read(member)
    if len(data) != member.file_size:
        raise ArtifactError(f"{member.filename!r} is cut short")
    return data


def check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Compare the checksum of a member, in bounded memory. Raises what zipfile raises."""
    left = member.file_size
    with archive.open(member) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            left -= len(chunk)
    if left:
        raise ArtifactError(f"{member.filename!r} is cut short")


def _check_end(path: Path, archive: zipfile.ZipFile) -> None:
    """A damaged length in the directory swallows members, and zipfile looks for a moved one."""
    with open(path, "rb") as file:
        file.seek(-_END.size - len(archive.comment), os.SEEK_END)
        _, _, _, _, count, _, start, _ = _END.unpack(file.read(_END.size))
    found = len(archive.infolist()), archive.start_dir
    if any(
        stated not in (there, elsewhere)
        for stated, there, elsewhere in zip((count, start), found, _ELSEWHERE, strict=True)
    ):
        raise ArtifactError(
            f"a damaged archive: {count} members listed at {start} are said to be there, "
            f"{found[0]} at {found[1]} are"
        )


def _check_members(members: Sequence[zipfile.ZipInfo], size: int, limit_bytes: int) -> None:
    names: set[str] = set()
    for member in members:
        # PyTorch's reader takes upper and lower case for the same.
        name = member.filename.casefold()
        if name in names:
            raise ArtifactError(f"{member.filename!r} stands twice in it")
        names.add(name)
        stored = member.compress_type == zipfile.ZIP_STORED
        if stored and member.compress_size != member.file_size:
            raise ArtifactError(f"{member.filename!r} has two sizes")
        if not stored and member.compress_type != zipfile.ZIP_DEFLATED:
            raise ArtifactError(f"{member.filename!r} is compressed in an unknown way")
        if member.flag_bits & _ENCRYPTED:
            raise ArtifactError(f"{member.filename!r} is encrypted")
    packed = sum(member.compress_size for member in members)
    if packed > size:
        raise ArtifactError(f"its members take {packed} bytes and lie in {size}: they overlap")
    total = sum(member.file_size for member in members)
    largest = min(limit_bytes, max(_ANY_RATIO_BYTES, _LARGEST_RATIO * size))
    if total > largest:
        raise ArtifactError(
            f"it would inflate from {human_bytes(size)} to {human_bytes(total)}; at most "
            f"{human_bytes(largest)} are read"
        )
