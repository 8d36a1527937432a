"""Results made up for tests of the reports: nothing in them was measured.

The machine's speed wanders threefold from round to round, for all alike; on top of it every time
has noise of its own and now and then a hiccup, as runs on shared machines show.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from benchmarks.results import (
    Case,
    Contestant,
    ImageCost,
    Machine,
    Matmul,
    Results,
    Run,
    SweepPoint,
)

MACHINE = Machine(
    cpu="Synthetic CPU",
    cores=2,
    isa=("avx2", "avx512f", "amx_bf16"),
    memory_bytes=8 << 30,
    system="synthetic",
    versions=(("torch", "2.13.0"), ("onnxruntime", "1.31.1")),
)
RUN = Run(
    "synthetic", "2026-01-02T03:04:05+00:00", "full", 13, 2, remarks="synthetic, not measured"
)
COST = ImageCost(49.5, 41.2, 0.14, kid_reason="the network is not installed")

# Seconds of a case where the machine is at its usual speed.
LEVELS = {"native": 0.10, "eager": 0.45, "onnxruntime": 0.5, "openvino": 0.38, "compile": 0.33}


def seconds(
    levels: Mapping[str, float], rounds: int, seed: int, noise: float = 0.06, swing: float = 3.0
) -> dict[str, tuple[float, ...]]:
    """Rounds of times by name around their levels."""
    generator = np.random.default_rng(seed)
    machine = np.exp(generator.uniform(-0.5, 0.5, rounds) * np.log(swing))
    times = {}
    for name, level in levels.items():
        own = np.exp(generator.normal(0.0, noise, rounds))
        own *= np.where(generator.random(rounds) < 0.05, 1.3, 1.0)
        times[name] = tuple((level * machine * own).tolist())
    return times


def case(
    seed: int = 0,
    rounds: int = 13,
    ours: float = 1.0,
    machine: float = 1.0,
    levels: Mapping[str, float] = LEVELS,
    **changes: object,
) -> Case:
    """A case; `ours` scales the times of `native`, `machine` all of them."""
    scaled = {name: level * machine for name, level in levels.items()}
    scaled["native"] *= ours
    times = seconds({**scaled, "matmul": 0.02 * machine}, rounds, seed)
    contestants = tuple(
        Contestant(
            name,
            "ours" if name == "native" else "peer",
            "as documented",
            times[name],
            batch_size=64,
            sweep=(SweepPoint(32, 900.0), SweepPoint(64, 1000.0)),
            image_cost=COST,
        )
        for name in levels
    )
    made = Case(
        kind="model",
        name="face-dcgan",
        source="made up",
        batch=1024,
        precision="bf16",
        output="uint8",
        flop_per_sample=181e6,
        weight_bytes=7e6,
        activation_bytes_per_sample=4e5,
        contestants=contestants,
        matmul=Matmul(17.2e9, times["matmul"]),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def results(*cases: Case) -> Results:
    """A run of these cases."""
    return Results(MACHINE, RUN, cases)
