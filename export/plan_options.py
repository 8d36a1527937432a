"""How a TensorRT plan is to be built: batch profile, GPU generations, scratch memory."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.backends._plan_sidecar import PORTABLE
from engine.core.errors import OptionError
from export.choices import OnnxOutput, Precision

# "refit": they can be exchanged later; "stripped": they are left out, and put in on the machine.
Weights = Literal["fixed", "refit", "stripped"]
WEIGHTS: tuple[Weights, ...] = ("fixed", "refit", "stripped")
# Nine digits: TensorRT counts in 32 bits.
_SIZE = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class BatchProfile:
    """Smallest, best and largest batch that a plan takes."""

    low: int = 1
    best: int = 32
    high: int = 256

    def __post_init__(self) -> None:
        if not 1 <= self.low <= self.best <= self.high:
            raise OptionError(
                f"batch profile {self.low}:{self.best}:{self.high} must rise from at least 1: "
                "MIN <= OPT <= MAX"
            )

    @classmethod
    def parse(cls, text: str) -> BatchProfile:
        """Read MIN:OPT:MAX, or one number for a fixed batch. Raises OptionError."""
        parts = text.split(":")
        if len(parts) not in (1, 3) or not all(_SIZE.fullmatch(part) for part in parts):
            raise OptionError(f"batch profile {text!r} is not MIN:OPT:MAX; write 1:32:256")
        sizes = [int(part) for part in parts]
        return cls(*(sizes if len(sizes) == 3 else sizes * 3))


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """targets: names as sm89, () for the builder's default; workspace_mib: None for no limit.

    precision, output: of the graph that is made of a checkpoint (`export.convert.export_onnx`).
    weights: whether the plan holds them for good. timing_cache: a file in which measurements of
    kernels are kept from build to build.
    """

    batch: BatchProfile = BatchProfile()
    targets: tuple[str, ...] = ()
    workspace_mib: int | None = None
    weights: Weights = "fixed"
    timing_cache: Path | None = None
    precision: Precision = "fp32"
    output: OnnxOutput = "float32"


def parse_targets(text: str | None) -> tuple[str, ...]:
    """GPU generations with commas, each once: sm86,sm89. None leaves it to the builder.

    Raises OptionError.
    """
    if text is None:
        return ()
    names = tuple(dict.fromkeys(name.strip().lower() for name in text.split(",")))
    for name in names:
        if name != PORTABLE and not re.fullmatch(r"sm[0-9]{2,3}", name):
            raise OptionError(f"target {name!r} is unknown; write sm86,sm89 or {PORTABLE}")
    if PORTABLE in names and len(names) > 1:
        raise OptionError(f"{PORTABLE} stands alone; {text!r} names other targets beside it")
    return names
