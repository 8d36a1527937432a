"""Will it fit? Asked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.core.errors import OptionError
from engine.core.units import human_bytes
from kernels.container import free_bytes

# Asking takes longer than making one image, and a machine without this much could not ask.
_SURELY_FREE = 1 << 20


def available_bytes() -> int | None:
    """Memory that can be used without swapping, None where the system does not tell."""
    known = [limit for limit in (_system_bytes(), free_bytes()) if limit is not None]
    return min(known, default=None)


def check_fits(what: str, needed: int, remedy: str) -> None:
    """Raise OptionError if `needed` bytes exceed the memory that is free."""
    if needed <= _SURELY_FREE:
        return
    free = available_bytes()
    if free is not None and needed > free:
        raise OptionError(
            f"{what} would take {human_bytes(needed)} of memory, {human_bytes(free)} are free; "
            f"{remedy}"
        )


@contextmanager
def shortage(batch_size: int | None, when: str = "in the midst of a run") -> Iterator[None]:
    """Turn a shortage of memory into OptionError that says what to set."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_shortage(error):
            raise
        now = "" if batch_size is None else f" (it is {batch_size})"
        raise OptionError(
            f"out of memory {when} ({_first_line(error)}); set batch_size={now} or threads= lower, "
            "or take fewer samples at a time: Engine.stream"
        ) from error


def _is_shortage(error: Exception) -> bool:
    """PyTorch tells of it by a RuntimeError: on a CPU a bare one, on a GPU a class of its own."""
    names = ("OutOfMemoryError", "DefaultCPUAllocator: ")
    return isinstance(error, MemoryError) or any(
        name in text for name in names for text in (type(error).__name__, str(error))
    )


def _first_line(error: Exception) -> str:
    return (str(error) or "of the interpreter").splitlines()[0]


def _system_bytes() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None
