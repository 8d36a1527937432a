"""`doctor`: what runs on this machine, and why the rest does not."""

from __future__ import annotations

import dataclasses
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from engine.cli.table import print_table

if TYPE_CHECKING:
    from engine.backends import Report

_PACKAGES = (
    "numpy",
    "pillow",
    "imagecodecs",
    "safetensors",
    "torch",
    "triton",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "onnxruntime-gpu",
    "tensorrt",
    "tensorrt-rtx-cu13",
)
# The instruction sets that CPU kernels care about, best first.
_CPU_FLAGS = ("amx_bf16", "amx_int8", "avx512f", "avx512_bf16", "avx2", "fma", "asimd", "sve")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Everything, for programs.")
def doctor(as_json: bool) -> None:
    """Show which backends run here, and why the others do not."""
    from engine import __version__, backends
    from kernels.container import processors
    from kernels.native import library

    reports = backends.doctor()
    packages = {name: _version(name) for name in _PACKAGES}
    cpu = {"model": cpu_model(), "cores": processors(), "flags": list(cpu_flags())}
    if as_json:
        values = {
            "generator-engine": __version__,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cpu": cpu,
            "native_library": {
                "path": str(library.path()),
                "unusable": library.unavailable(),
                "instruction_sets": list(native_sets()),
            },
            "packages": packages,
            "backends": [dataclasses.asdict(report) for report in reports],
        }
        click.echo(json.dumps(values, indent=2))
        return
    flags = " ".join(cpu_flags()) or "instruction sets unknown"
    print_table(
        [
            ("engine", __version__),
            ("python", f"{platform.python_version()} on {platform.platform()}"),
            ("cpu", f"{cpu_model()}, {processors()} cores, {flags}"),
            ("kernels", ", ".join(native_sets()) or f"not usable: {library.unavailable()}"),
            ("packages", ", ".join(f"{name} {found}" for name, found in packages.items() if found)),
            ("missing", ", ".join(name for name, found in packages.items() if not found) or "none"),
        ]
    )
    click.echo()
    print_table(
        (
            report.name,
            "runs" if report.available else "cannot run",
            report.version or "-",
            _abilities(report) if report.available else report.reason,
        )
        for report in reports
    )


def _abilities(report: Report) -> str:
    kinds = (report.artifacts, report.devices, report.precisions)
    return "; ".join(", ".join(kind) for kind in kinds)


def native_sets() -> tuple[str, ...]:
    """Instruction sets of the native library that run here, best last; none without it."""
    from kernels.native import library

    return () if library.unavailable() else library.instruction_sets()


def cpu_model() -> str:
    """The processor's name, as far as the system tells."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def cpu_flags() -> tuple[str, ...]:
    """Those of the instruction sets above that the processor has; empty if nothing tells."""
    present = (_cpuinfo("flags") or _cpuinfo("Features")).split()
    return tuple(flag for flag in _CPU_FLAGS if flag in present)


def _cpuinfo(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    values = (line.partition(":")[2].strip() for line in lines if line.split(":")[0].strip() == key)
    return next(values, "")


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
