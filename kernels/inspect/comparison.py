"""A kernel's main loop against the best of a fixed list of matrix products."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kernels.inspect.flow import MainLoop
from kernels.inspect.survey import Outcome

# A main loop may issue that many instructions for each of the baseline's.
MOST_INSTRUCTIONS = 1.15


@dataclass(frozen=True, slots=True)
class Comparison:
    """Instructions per tensor-core instruction of a kernel's main loop and of the baseline's."""

    baseline: str
    baseline_per_tensor_instruction: float
    per_tensor_instruction: float

    @property
    def ratio(self) -> float:
        """How many times the baseline's instructions."""
        return self.per_tensor_instruction / self.baseline_per_tensor_instruction


def compare(outcome: Outcome, baselines: Iterable[Outcome]) -> Comparison | None:
    """Compare with the best baseline whose tensor-core instruction does the same work.

    That is the same opcode (bf16 or fp16 is one), and for tcgen05, whose opcode does not tell, the
    same width of tile.
    None if there is no main loop (or it was unrolled), or no such baseline.
    """
    if outcome.reading is None or outcome.reading.loop is None:
        return None
    loop = outcome.reading.loop
    best: Comparison | None = None
    for each in baselines:
        other = each.reading.loop if each.reading else None
        if each.key.architecture != outcome.key.architecture or other is None:
            continue
        if _shape(other) != _shape(loop) or {loop.kind, other.kind} != {"loop"}:
            continue
        if loop.opcode.startswith("UTC") and each.columns != outcome.columns:
            continue
        if best is None or other.per_tensor_instruction < best.baseline_per_tensor_instruction:
            best = Comparison(
                each.key.name, other.per_tensor_instruction, loop.per_tensor_instruction
            )
    return best


def _shape(loop: MainLoop) -> str:
    """The opcode without the type of 16-bit operands."""
    return loop.opcode.replace(".BF16", "")
