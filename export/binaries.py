"""Every kernel that an artifact's Programs launch, compiled for the GPUs that were asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.backends._programs import open_programs
from engine.backends._triton.network import Network
from engine.backends.base import installed_version
from engine.core.artifacts import Artifact
from engine.core.errors import ExportError
from engine.core.files import sha256, write_bytes
from engine.core.units import human_bytes
from engine.core.version import __version__
from engine.program.gen import Gen
from engine.program.plan import make_plan
from engine.program.planning.types import Operand, Precision
from kernels.binaries.container import Entry, make_entry, pack
from kernels.binaries.identity import identity, source_digest
from kernels.compile import compile_launch
from kernels.launch import Launch, launching_with

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BinariesReport:
    """What was written; `notes` are operations that no kernel of ours runs."""

    path: Path
    size: int
    counts: Mapping[int, int]
    notes: tuple[str, ...]

    def lines(self) -> list[str]:
        """The report, a line for each thing to say."""
        made = ", ".join(f"{count} for sm_{target}" for target, count in self.counts.items())
        return [
            f"{self.path} ({human_bytes(self.size)}): kernels {made}",
            *(f"note: {note}" for note in self.notes),
        ]


def export_binaries(
    artifact: Artifact,
    out: Path,
    *,
    targets: Sequence[int],
    operand: Operand = "fp16",
    batch: int = 1024,
    progress: Progress = lambda line: None,
) -> BinariesReport:
    """Write a `.kernels` file for an artifact planned at a batch (smaller ones run as well).

    Raises ExportError for a kernel that does not compile, what opening the artifact raises, and
    OutputError.
    """
    gen = open_programs(artifact)
    entries: list[Entry] = []
    notes: dict[str, None] = {}
    counts = {}
    for target in targets:
        launches, told = kernels_of(gen, target, operand, batch)
        notes.update(dict.fromkeys(told))
        for number, launch in enumerate(launches.values(), 1):
            progress(f"sm_{target} [{number}/{len(launches)}] {launch.name}")
            entries.append(_compile(launch, target))
        counts[target] = len(launches)
    about = {
        "artifact": artifact.path.name,
        "artifact_sha256": sha256(artifact.path),
        "precision": operand,
        "batch": batch,
        "sources": source_digest(),
        "versions": {"generator-engine": __version__, "triton": installed_version("triton")},
    }
    data = pack(entries, about)
    write_bytes(out, data)
    return BinariesReport(out, len(data), counts, tuple(notes))


def kernels_of(
    gen: Gen, target: int, operand: Operand, batch: int
) -> tuple[dict[str, Launch], tuple[str, ...]]:
    """One launch of every kernel by its identity, and what runs without a kernel of ours.

    The real backend's networks are built for the target and launched once, into a recorder: on one
    sample, because the batch is not part of a kernel.
    """
    import torch

    found: dict[str, Launch] = {}
    notes: list[str] = []

    def record(launch: Launch) -> bool:
        found.setdefault(identity(launch), launch)
        return True

    for name, program in gen.programs.items():
        for images in _image_outputs(gen, name):
            plan = make_plan(
                program,
                precision=Precision(operand, images, gen.spec.output.range),
                architecture=target,
                batch=batch,
            )
            with launching_with(record, any_device=True), torch.inference_mode():
                network = Network(plan, 1, torch.device("cpu"))
                network.launch()
            notes += network.notes
    return found, tuple(notes)


def _image_outputs(gen: Gen, entry_point: str) -> tuple[str | None, ...]:
    """None for the model's own range, and the decoder's output where it may be asked as uint8."""
    output = gen.spec.output
    if entry_point == "decoder" and gen.spec.modality == "image":
        return (None, output.name)
    return (None,)


def _compile(launch: Launch, target: int) -> Entry:
    try:
        return make_entry(compile_launch(launch, target, line_info=False))
    # Triton's errors have no common base.
    except Exception as error:
        raise ExportError(f"{launch.name} does not compile for sm_{target}: {error}") from error
