"""The machine, the versions and the state of the code that a run belongs to."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from pathlib import Path

from benchmarks.cases import Preset
from benchmarks.results import Machine, Run
from engine.backends.base import installed_version, not_installed
from engine.cli.doctor import cpu_flags, cpu_model
from engine.core.version import __version__

# Ends the name of a commit where files of the working tree differ from it.
DIRTY = "-dirty"

_PACKAGES = ("numpy", "torch", "onnxruntime", "openvino", "onnx", "triton", "tensorrt")


def describe_machine() -> Machine:
    """This machine, as far as the system tells."""
    versions = {"python": platform.python_version(), "generator-engine": __version__}
    versions |= {name: installed_version(name) for name in _PACKAGES}
    return Machine(
        cpu=cpu_model(),
        cores=available_cores(),
        isa=cpu_flags(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=platform.platform(),
        versions=tuple((name, version) for name, version in versions.items() if version),
        gpu=_gpu(),
    )


def describe_run(preset: Preset, threads: int) -> Run:
    """This run, before its first case."""
    return Run(
        commit=_commit(),
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        preset=preset.name,
        rounds=preset.rounds,
        threads=threads,
        load=round(os.getloadavg()[0], 2),
    )


def available_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def file_system(folder: Path) -> str:
    """The kind of file system of a folder (ext4, tmpfs), as Linux tells."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown file system"
    mounts = {Path(fields[1]): fields[2] for fields in map(str.split, lines)}
    here = folder.resolve()
    return next(mounts[place] for place in (here, *here.parents) if place in mounts)


def _gpu() -> str | None:
    if not_installed("torch", "torch"):
        return None
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def _commit() -> str:
    """The commit, with a mark where files differ from it."""
    result = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.strip() or "unknown"
