"""What a container may use of its machine: control groups of Linux, version 2 and version 1.

Source: https://docs.kernel.org/admin-guide/cgroup-v2.html (`cpu.max`, `memory.max`) and
https://docs.kernel.org/scheduler/sched-bwc.html (`cpu.cfs_quota_us`). A group is bound by its own
limits and by those of all groups above it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def processors() -> int:
    """Processors that this process may use: by its affinity, and by its share of time, rounded up.

    Threads beyond the share would only wait for the next slice of time, all at once.
    """
    # Not on macOS, which has no affinity.
    affinity = getattr(os, "sched_getaffinity", None)
    usable = len(affinity(0)) if affinity else os.cpu_count() or 1
    shares = [share for group in groups("cpu") if (share := _share(group)) is not None]
    return max(1, min(usable, math.ceil(min(shares, default=usable))))


def free_bytes() -> int | None:
    """Memory that is left of the limits, None without one."""
    left = [free for group in groups("memory") if (free := _left(group)) is not None]
    return min(left, default=None)


def groups(controller: str) -> Iterator[Path]:
    """Folders of the groups that this process is in, each before the one above it."""
    try:
        lines = OWN.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, names, path = line.split(":", 2)
        if names and controller not in names.split(","):
            continue
        root = ROOT / controller if names else ROOT
        inside = [part for part in path.split("/") if part]
        # Seen from within a container, its own group may lie outside: its root is all there is.
        depth = 0 if ".." in inside else len(inside)
        for end in range(depth, -1, -1):
            yield root.joinpath(*inside[:end])


def _share(group: Path) -> float | None:
    """Processors' worth of time, None where there is no limit."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text()
            period = (group / "cpu.cfs_period_us").read_text()
        # 'max' in version 2, -1 in version 1.
        share = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        return None
    return share if share > 0 else None


def _left(group: Path) -> int | None:
    names = ("memory.max", "memory.current", "inactive_file ")
    if not (group / names[0]).exists():
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
    try:
        limit, used = (int((group / name).read_text()) for name in names[:2])
        lines = (group / "memory.stat").read_text().splitlines()
    # No such file outside a container, and 'max' where there is no limit.
    except (OSError, ValueError):
        return None
    # Files that were written count as used until somebody needs the memory.
    cached = sum(int(line.split()[1]) for line in lines if line.startswith(names[2]))
    return max(0, limit - used + cached)
