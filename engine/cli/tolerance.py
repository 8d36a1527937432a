"""How far apart two engines may be and still count as the same, and why that far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.cli.compare import Comparison, EncoderComparison, Form
from engine.core.artifacts import Artifact

if TYPE_CHECKING:
    from engine.api import Engine

Kind = Literal["given", "fp32", "uint8", "budget"]

# float32 sums in two orders differ by far less; wrong weights by far more.
MAX_ERROR = 1e-3
# A float next to a half is rounded up by one and down by the other; hardly ever.
MAX_STEP = 1
LEAST_EQUAL = 0.99

_EXACT = ("fp32", "fp64")
_ROUNDED = "fp16-weights"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What is allowed.

    given: max_error and min_psnr_db, those of them that are not None.
    fp32: max_error, between two engines that compute in float32 or better.
    uint8: the same, where images alone can be compared: one step, in one value of a hundred.
    budget: the image budget, where an engine computes in less.
    """

    kind: Kind
    reason: str
    max_error: float | None = None
    min_psnr_db: float | None = None
    lower: bool = False

    def holds(self, result: Comparison) -> bool:
        """Whether samples and posteriors are the same within it."""
        return not self.broken_by(result)

    def broken_by(self, result: Comparison) -> tuple[str, ...]:
        """The entry points that are beyond it."""
        if result.not_finite:
            return (result.ended_in,)
        broken = () if self._holds(result) else ("decoder",)
        if result.encoder is None or self.holds_for_encoder(result.encoder):
            return broken
        return (*broken, "encoder")

    def holds_for_encoder(self, result: EncoderComparison) -> bool:
        """Posteriors have no range, so that a PSNR which was asked for says nothing of them."""
        if self.lower and self.max_error is None:
            return result.cost.holds
        return result.relative_error <= self.encoder_limit

    @property
    def encoder_limit(self) -> float:
        """The largest relative error of an encoder that is not held to the budget."""
        return MAX_ERROR if self.max_error is None else self.max_error

    def _holds(self, result: Comparison) -> bool:
        if self.kind == "budget":
            return result.cost is not None and result.cost.holds
        if self.kind == "uint8":
            assert result.max_step is not None
            assert result.equal_share is not None
            return result.max_step <= MAX_STEP and result.equal_share >= LEAST_EQUAL
        close = self.max_error is None or result.max_error <= self.max_error
        return close and (self.min_psnr_db is None or result.psnr_db >= self.min_psnr_db)


def choose(
    a: Engine,
    b: Engine,
    compared_as: Form,
    max_error: float | None = None,
    min_psnr_db: float | None = None,
) -> Tolerance:
    """What was asked for, or what fits the lower precision of the two sides."""
    low = _lower(a, b)
    if max_error is not None or min_psnr_db is not None:
        return Tolerance("given", "as asked for", max_error, min_psnr_db, lower=bool(low))
    if low:
        return Tolerance("budget", f"the image budget, as {' and '.join(low)}", lower=True)
    if compared_as == "uint8":
        return Tolerance("uint8", "rounding ties alone, as both compute in fp32 or better")
    return Tolerance("fp32", "that of fp32, as both compute in it or better", MAX_ERROR)


def _lower(a: Engine, b: Engine) -> list[str]:
    """What is lower than fp32, side by side."""
    sides = tuple(zip("AB", (a, b), strict=True))
    low = [
        f"{side} computes in {engine.precision}"
        for side, engine in sides
        if engine.precision not in _EXACT
    ]
    rounded = [side for side, engine in sides if rounded_weights(engine.file)]
    # Of two that are rounded, the weights are the same.
    if len(rounded) == 1:
        low.append(f"the weights of {rounded[0]} are rounded to fp16")
    return low


def rounded_weights(artifact: Artifact) -> bool:
    """Whether a file was exported with --precision fp16-weights, as it tells itself."""
    told: str | None = None
    if artifact.kind == "onnx":
        from engine.backends._onnx_session import open_session, told_precision

        told = told_precision(open_session(artifact.path))
    elif artifact.kind == "gen":
        from engine.program.gen import read_source

        told = read_source(artifact.path).precision
    return told == _ROUNDED
