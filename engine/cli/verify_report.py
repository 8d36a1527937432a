"""What `verify` found, as a table and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.cli.compare import Comparison, EncoderComparison
from engine.cli.tolerance import LEAST_EQUAL, MAX_STEP, Tolerance
from engine.core import budget

if TYPE_CHECKING:
    from engine.api import Engine

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """One comparison, and whether it is within its tolerance.

    sides: artifact, backend and precision of A and of B.
    lone_encoder: the side, "a" or "b", that has an encoder which the other lacks.
    """

    sides: tuple[tuple[str, str, str], ...]
    modality: str
    seed: int
    result: Comparison
    tolerance: Tolerance
    lone_encoder: str | None

    @classmethod
    def of(
        cls, a: Engine, b: Engine, seed: int, result: Comparison, tolerance: Tolerance
    ) -> Report:
        """Of two open engines."""
        having = [
            name for name, of in zip("ab", (a, b), strict=True) if "encoder" in of.spec.entry_points
        ]
        return cls(
            sides=tuple((of.artifact.name, of.backend, of.precision) for of in (a, b)),
            modality=a.spec.modality,
            seed=seed,
            result=result,
            tolerance=tolerance,
            lone_encoder=having[0] if len(having) == 1 else None,
        )

    @property
    def passed(self) -> bool:
        """Whether the two are the same within the tolerance."""
        return self.tolerance.holds(self.result)


def table(report: Report) -> list[Row]:
    """Rows for people."""
    result, tolerance = report.result, report.tolerance
    rows: list[Row] = [
        (name, " ".join(side)) for name, side in zip("AB", report.sides, strict=True)
    ]
    if result.compared_as == "uint8":
        rows.append(("compared", "uint8 images", "as a side gives these alone"))
    if result.not_finite:
        rows += [
            (
                side.upper(),
                f"its {result.ended_in} gives NaN or infinity",
                f"first in sample {sample}, seed {report.seed}",
            )
            for side, sample in result.not_finite.items()
        ]
    else:
        rows += _differences(report)
        if result.encoder is not None:
            rows += _encoder(result.encoder, tolerance)
    if report.lone_encoder:
        rows.append(("encoder", "not compared", f"{report.lone_encoder.upper()} alone has one"))
    rows.append(("tolerance", tolerance.reason))
    broken = " and ".join(tolerance.broken_by(result))
    verdict = f"different: the {broken}" if broken else "the same within the tolerance"
    return [*rows, ("verdict", verdict)]


def _differences(report: Report) -> Iterator[Row]:
    result, allowed = report.result, report.tolerance
    cost = result.cost
    assert cost is not None
    in_budget = allowed.kind == "budget"
    most = None if allowed.kind == "uint8" else allowed.max_error
    yield "max error", f"{result.max_error:.3g}", "" if most is None else f"at most {most:g}"
    yield "mean error", f"{result.mean_error:.3g}", ""
    least = allowed.min_psnr_db
    yield "PSNR", f"{result.psnr_db:.1f} dB", "" if least is None else f"at least {least:g}"
    yield (
        "in uint8" if report.modality == "image" else "in 255 steps",
        f"{cost.mean_psnr_db:.1f} dB",
        f"at least {budget.LOWEST_MEAN_PSNR_DB:g}" if in_budget else "",
    )
    yield (
        "  worst sample",
        f"{cost.worst_psnr_db:.1f} dB",
        f"at least {budget.LOWEST_WORST_PSNR_DB:g}" if in_budget else "",
    )
    yield (
        "  mean difference",
        f"{cost.mean_difference:.3g} steps",
        f"at most {budget.LARGEST_MEAN_DIFFERENCE:g}" if in_budget else "",
    )
    if result.max_step is not None and result.equal_share is not None:
        strict = allowed.kind == "uint8"
        yield (
            "  max difference",
            f"{result.max_step} steps",
            f"at most {MAX_STEP}" if strict else "",
        )
        yield (
            "  equal values",
            f"{result.equal_share:.4%}",
            f"at least {LEAST_EQUAL:.0%}" if strict else "",
        )
    yield "worst sample", f"{result.worst_sample}", f"of {result.samples}, seed {report.seed}"


def _encoder(found: EncoderComparison, allowed: Tolerance) -> Iterator[Row]:
    budgeted = allowed.lower and allowed.max_error is None
    limit = "" if budgeted else f"at most {allowed.encoder_limit:g}, relative above 1"
    yield "encoder", f"max error {found.max_error:.3g}", limit
    if budgeted:
        cost = found.cost
        yield "  budget", f"{cost.mean_psnr_db:.1f} dB", f"at least {budget.LOWEST_MEAN_PSNR_DB:g}"
        worst = f"at least {budget.LOWEST_WORST_PSNR_DB:g}"
        yield "  worst sample", f"{cost.worst_psnr_db:.1f} dB", worst
        yield (
            "  mean difference",
            f"{cost.mean_difference:.3g} hundredths",
            f"at most {budget.LARGEST_MEAN_DIFFERENCE:g}, of the prior's deviation",
        )


def report_values(report: Report) -> dict[str, Any]:
    """JSON for programs; infinity and NaN, which JSON lacks, are null."""
    result, tolerance = report.result, report.tolerance
    names = ("artifact", "backend", "precision")
    cost = result.cost
    values: dict[str, Any] = {
        "a": dict(zip(names, report.sides[0], strict=True)),
        "b": dict(zip(names, report.sides[1], strict=True)),
        "seed": report.seed,
        "samples": result.samples,
        "max_error": result.max_error,
        "mean_error": result.mean_error,
        # Of equal outputs it is null.
        "psnr_db": result.psnr_db,
        "worst_sample": result.worst_sample,
        "compared_as": result.compared_as,
        "uint8": None if cost is None else _uint8(result),
        "not_finite": dict(result.not_finite),
        "ended_in": result.ended_in or None,
        "encoder": _encoder_values(result.encoder),
        "tolerance": {
            "max_error": tolerance.max_error,
            "min_psnr_db": tolerance.min_psnr_db,
            "kind": tolerance.kind,
            "reason": tolerance.reason,
        },
        "passed": report.passed,
    }
    return {key: plain(value) for key, value in values.items()}


def _uint8(result: Comparison) -> dict[str, Any]:
    cost = result.cost
    assert cost is not None
    return {
        "mean_psnr_db": cost.mean_psnr_db,
        "worst_psnr_db": cost.worst_psnr_db,
        "mean_difference": cost.mean_difference,
        "max_difference": result.max_step,
        "equal_share": result.equal_share,
    }


def _encoder_values(found: EncoderComparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "max_error": found.max_error,
        "mean_error": found.mean_error,
        "relative_error": found.relative_error,
        "within_budget": found.cost.holds,
    }


def plain(value: Any) -> Any:
    """Numbers that JSON lacks as null, at any depth."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
