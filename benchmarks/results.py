"""What a benchmark run hands on: frozen records and nothing derived.

Seconds are kept per round. Within a case round i of every contestant, and of the matrix product
that stands for the machine, ran side by side: ratios are taken round by round
(`benchmarks.ratios`), and no figure is compared across cases. `benchmarks.result_files` reads and
writes them as versioned JSON.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["model", "layer", "stage"]
Precision = Literal["fp32", "bf16", "fp16"]
Output = Literal["uint8", "float32"]
# `yardstick`: what others are held against without competing, such as `import numpy`.
Role = Literal["ours", "peer", "yardstick"]
# Life of an engine in order, then what has a case of its own:
# `cold process`: a process from start to its first images; yardstick `import numpy`.
# `sinks`: sampling to disk; yardstick `sampling`, contestants `npy shards`, `jpeg shards`, ...
# `stream`: a long stream; `peak_bytes` counts, the seconds may be those of one round.
Stage = Literal[
    "",
    "build",
    "cold start",
    "first sample",
    "steady state",
    "copy",
    "encode",
    "cold process",
    "sinks",
    "stream",
]


@dataclass(frozen=True)
class Machine:
    """What was measured on. `isa` names the instruction sets that matter (amx_bf16, avx2, ...)."""

    cpu: str
    cores: int
    isa: tuple[str, ...]
    memory_bytes: int
    system: str
    versions: tuple[tuple[str, str], ...]
    gpu: str | None = None


@dataclass(frozen=True)
class Run:
    """How it was measured. `date` is ISO 8601; `load` the load average before the first case."""

    commit: str
    date: str
    preset: str
    rounds: int
    threads: int
    load: float | None = None
    remarks: str = ""


@dataclass(frozen=True)
class SweepPoint:
    """Samples a second at one internal batch size; the best one is what is timed."""

    batch_size: int
    samples_per_s: float


@dataclass(frozen=True)
class ImageCost:
    """What speed costs in images, against fp32: PSNR in dB, mean difference in uint8 steps.

    `kid_change` is KID to real data less that of fp32, `kid_fp32`; None needs its `kid_reason`.
    """

    psnr_mean_db: float
    psnr_worst_db: float
    uint8_difference: float
    kid_change: float | None = None
    kid_fp32: float | None = None
    kid_reason: str | None = None

    def __post_init__(self) -> None:
        if (self.kid_change is None) == (self.kid_reason is None):
            raise ValueError("either kid_change or kid_reason must be given")


@dataclass(frozen=True)
class Contestant:
    """One way to do a case: its seconds per round, or the reason why it was not measured.

    `settings` says in words how it was set up; `batch_size` is its internal one, the best of
    `sweep`; `error` is the largest one against fp32 relative to the largest output; `peak_bytes`
    is memory above that of the loaded model.
    """

    name: str
    role: Role
    settings: str
    seconds: tuple[float, ...] = ()
    batch_size: int | None = None
    sweep: tuple[SweepPoint, ...] = ()
    image_cost: ImageCost | None = None
    error: float | None = None
    peak_bytes: int | None = None
    not_measured: str | None = None

    def __post_init__(self) -> None:
        if bool(self.seconds) == (self.not_measured is not None):
            raise ValueError(f"{self.name}: either seconds or not_measured must be given")
        _check_seconds(self.name, self.seconds)


@dataclass(frozen=True)
class Matmul:
    """A matrix product timed beside a case: its FLOP, and its seconds per round."""

    flop: float
    seconds: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.flop > 0:
            raise ValueError(f"flop {self.flop} must be positive")
        _check_seconds("matmul", self.seconds)


@dataclass(frozen=True)
class Case:
    """One measurement: `batch` samples by every contestant, round by round.

    `source` says where model or shape come from. `flop_per_sample` counts useful operations: taps
    inside the map, a multiply-add as two. The memory traffic that no method avoids is
    `weight_bytes` once and `activation_bytes_per_sample`; 0 stands for not counted. A case that
    was skipped as a whole has its reason and no contestants.
    """

    kind: Kind
    name: str
    source: str
    batch: int
    precision: Precision
    output: Output
    stage: Stage = ""
    device: Literal["cpu", "cuda"] = "cpu"
    flop_per_sample: float = 0.0
    weight_bytes: float = 0.0
    activation_bytes_per_sample: float = 0.0
    contestants: tuple[Contestant, ...] = ()
    matmul: Matmul | None = None
    skipped: str | None = None

    def __post_init__(self) -> None:
        names = [contestant.name for contestant in self.contestants]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.name}: two contestants of one name in {', '.join(names)}")
        if (self.kind == "stage") != bool(self.stage):
            raise ValueError(f"{self.name}: a case of kind {self.kind} with stage {self.stage!r}")
        if bool(self.contestants) == (self.skipped is not None):
            raise ValueError(f"{self.name}: either contestants or skipped must be given")
        timed = [contestant.seconds for contestant in self.contestants if contestant.seconds]
        lengths = {len(seconds) for seconds in timed}
        if self.matmul is not None and timed:
            lengths.add(len(self.matmul.seconds))
        if len(lengths) > 1:
            raise ValueError(f"{self.name}: rounds must be aligned, found {sorted(lengths)}")

    @property
    def key(self) -> tuple[str, ...]:
        """What makes two cases of different runs the same one."""
        output = f"{self.precision} {self.output}"
        return (self.kind, self.name, self.stage, str(self.batch), output, self.device)

    @property
    def label(self) -> str:
        """The case in one line."""
        parts = [self.name, self.stage, f"n={self.batch}", self.precision, self.output]
        if self.device != "cpu":
            parts.append(self.device)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Results:
    """All cases of one run."""

    machine: Machine
    run: Run
    cases: tuple[Case, ...]

    def __post_init__(self) -> None:
        keys = [case.key for case in self.cases]
        twice = [case.label for case in self.cases if keys.count(case.key) > 1]
        if twice:
            raise ValueError(f"two cases are {twice[0]}")


def _check_seconds(name: str, seconds: Sequence[float]) -> None:
    if not all(math.isfinite(value) and value > 0 for value in seconds):
        raise ValueError(f"{name}: seconds must be positive and finite")
