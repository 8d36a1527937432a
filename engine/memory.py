"""Will it fit? Asked before anything is computed."""

from __future__ import annotations

import os

from engine.core.errors import OptionError

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")


def human_bytes(count: float) -> str:
    """1536 -> '1.5 kB' (powers of 1000)."""
    for unit in _UNITS[:-1]:
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} {_UNITS[-1]}"


def available_bytes() -> int | None:
    """Memory that can be used without swapping, None where the system does not tell."""
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def check_fits(n: int, sample_bytes: int) -> None:
    """Raise OptionError if n samples of that size exceed the memory that is free."""
    free = available_bytes()
    needed = n * sample_bytes
    if free is not None and needed > free:
        raise OptionError(
            f"n={n} samples would take {human_bytes(needed)} of memory, {human_bytes(free)} are "
            "free; use Engine.stream(n) for batches, or `python -m engine generate -o FOLDER`"
        )
