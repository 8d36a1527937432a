"""Will it fit? Asked before anything is computed."""

from __future__ import annotations

import os
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


def _system_bytes() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None
