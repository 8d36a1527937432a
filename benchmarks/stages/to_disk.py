"""Sinks: from noise to files, beside sampling alone: the yardstick is the images without a file.

Every round writes new folders; what they took on the disk is freed before the next one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.machine import file_system
from benchmarks.results import Case, Contestant, Role
from benchmarks.rounds import rotated, seconds_of
from benchmarks.stages.engines import best_engine
from benchmarks.stages.records import stage_record

if TYPE_CHECKING:
    from benchmarks.bench import Bench

# Two shards of the usual size; fewer where sampling takes minutes.
_SAMPLES = 20_000
_FEWER = 2_000


@dataclass(frozen=True)
class Sink:
    """A form of files: the arguments of `engine.saving.save`, or None for no files at all."""

    name: str
    role: Role
    settings: str
    arguments: dict[str, object] | None


_SINKS = (
    Sink("sampling", "yardstick", "Engine.stream, no files", None),
    Sink("npy shards", "ours", ".npy shards", {"format": "npy-shards"}),
    Sink(
        "jpeg shards",
        "ours",
        "WebDataset of JPEG, quality 90, 4:2:0",
        {"format": "webdataset", "member": "jpg", "quality": 90},
    ),
    Sink("png shards", "ours", "WebDataset of PNG", {"format": "webdataset", "member": "png"}),
)


def measure(bench: Bench, model: str) -> tuple[Case, ...]:
    """One record. Raises ArtifactError where the model is not at hand."""
    from engine.saving import save

    with best_engine(bench, model) as engine:
        n = _SAMPLES if engine.backend == "native" else _FEWER

        def write(sink: Sink, folder: Path) -> None:
            if sink.arguments is None:
                for _ in engine.stream(n):
                    pass
            else:
                save(engine, folder, n, **sink.arguments)

        seconds = _rounds(bench, write)
        settings = (
            f"{engine.backend} {engine.precision}, batches of {engine.batch_size}, "
            f"{file_system(bench.folder)}"
        )
        precision = engine.precision
    contestants = tuple(
        Contestant(sink.name, sink.role, f"{sink.settings}; {settings}", tuple(seconds[sink.name]))
        for sink in _SINKS
    )
    return (stage_record(model, "sinks", n, precision, contestants=contestants),)


def _rounds(bench: Bench, write: Callable[[Sink, Path], None]) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {sink.name: [] for sink in _SINKS}
    folder = bench.folder / "sinks"
    # The first round warms, and is not counted.
    for number in range(bench.preset.rounds + 1):
        for sink in rotated(_SINKS, number):
            bench.log(f"{sink.name}, round {number} of {bench.preset.rounds}")
            taken = seconds_of(lambda sink=sink: write(sink, folder))
            shutil.rmtree(folder, ignore_errors=True)
            if number:
                seconds[sink.name].append(taken)
    return seconds
