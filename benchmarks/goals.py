"""What this engine promises, as rules over results; every figure comes from the results.

A promise holds for all of its parts. One part that falls short breaks it; else one that was not
measured (on such a machine, in enough rounds) leaves it open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.face import NAME as FACE
from benchmarks.goal_parts import Part, Parts, layers, models, of_matmul, stage, stream
from engine import zoo

Outcome = Literal["met", "missed", "not measured"]

FULLY_CONNECTED = "gan-mlp-digits"


@dataclass(frozen=True)
class Goal:
    """A promise: each of its parts has at least (or at most) `bound`, in `unit`."""

    name: str
    bound: float
    unit: str
    parts: Parts
    stretch: float | None = None
    at_most: bool = False

    def holds(self, part: Part, bound: float) -> bool | None:
        """Whether a part keeps within a bound; None where it was not measured."""
        if part.figure is None:
            return None
        return part.figure.median <= bound if self.at_most else part.figure.median >= bound

    def outcome(self, parts: Sequence[Part], bound: float | None = None) -> Outcome:
        """What became of the promise, or of a stricter bound."""
        held = [self.holds(part, self.bound if bound is None else bound) for part in parts]
        if False in held:
            return "missed"
        return "not measured" if None in held or not held else "met"

    def worst(self, parts: Sequence[Part]) -> Part | None:
        """The measured part that comes off worst, or None."""
        measured = [part for part in parts if part.figure]
        if not measured:
            return None
        return (max if self.at_most else min)(measured, key=_median)


def goals() -> tuple[Goal, ...]:
    """All promises, in the order in which they are shown."""
    convolutional = [name for name in zoo.names() if name != FULLY_CONNECTED]
    everything = list(zoo.names())
    peer, matmul = "x best peer", "x matmul rate"
    return (
        Goal(f"{FACE} n=1024 bf16", 3.0, peer, models([FACE], [1024], ["bf16"]), stretch=4.0),
        Goal(f"{FACE} n=1024 bf16", 1.2, matmul, models([FACE], [1024], ["bf16"], of=of_matmul)),
        Goal(f"{FACE} n=1024 fp32", 2.3, peer, models([FACE], [1024], ["fp32"]), stretch=3.0),
        Goal(f"{FACE} n=1024 fp32", 1.2, matmul, models([FACE], [1024], ["fp32"], of=of_matmul)),
        Goal("shipped convolutional models, n=64 and 1024", 2.0, peer, models(convolutional)),
        Goal("shipped fully connected one, n=64 and 1024", 0.95, peer, models([FULLY_CONNECTED])),
        Goal("every shipped model, n=1", 1.0, peer, models(everything, [1])),
        Goal("every layer of the suite", 0.95, peer, layers),
        Goal(
            f"{FACE}, noise to .npy shards",
            0.90,
            "x sampling rate",
            stage("sinks", [FACE], "npy shards"),
        ),
        Goal(
            f"{FACE}, noise to JPEG shards (4:2:0, quality 90)",
            0.45,
            "x sampling rate",
            stage("sinks", [FACE], "jpeg shards"),
        ),
        Goal("stream of a million images", 300.0, "MB above the model", stream, at_most=True),
        Goal(
            "every shipped model, cold process to 32 images",
            3.0,
            "x `import numpy`",
            stage("cold process", everything),
            at_most=True,
        ),
    )


def _median(part: Part) -> float:
    return part.figure.median if part.figure else 0.0
