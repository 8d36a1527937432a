"""Writing so that a crash, a full disk or a kill leaves the old file or the new one, never half."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.core.errors import OutputError


def _umask() -> int:
    """What new files are denied. It can only be read by setting it, for the whole process."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


# Read once, at import: several threads publish files.
_UMASK = _umask()


@contextmanager
def atomic_path(target: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it to `target` if the block succeeds.

    Raises OutputError when the folder cannot be written or the disk is full.
    """
    # It brings compression and random numbers along, which cost a start that writes nothing.
    import tempfile

    shown = Path(target)
    # A link stays a link: what it points to is replaced.
    target = shown.resolve()
    if target.exists() and not target.is_file():
        raise OutputError(f"{shown} is a folder or a device, not a file; choose another name")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}.", suffix=f".tmp{target.suffix}"
        )
        os.close(handle)
    except OSError as error:
        raise OutputError(f"cannot write {shown}: {error.strerror}") from error
    temporary = Path(name)
    try:
        yield temporary
        _publish(temporary, target)
    except OSError as error:
        raise OutputError(
            f"cannot write {shown}: {error.strerror or error}; nothing was changed"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(target: str | Path, data: bytes) -> None:
    """Write `data` to `target` in one step. Raises OutputError."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(data)


def write_text(target: str | Path, text: str) -> None:
    """Write UTF-8 text to `target` in one step. Raises OutputError."""
    write_bytes(target, text.encode())


def sha256(path: str | Path) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _publish(temporary: Path, target: Path) -> None:
    # mkstemp makes private files; published ones get what open() would have given them.
    temporary.chmod(0o666 & ~_UMASK)
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    temporary.replace(target)
