"""The table of results, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.cases import Case


@dataclass(frozen=True)
class Row:
    """Seconds of each timed call of a case, or the reason why there are none."""

    case: Case
    seconds: tuple[float, ...] = ()
    skipped: str = ""

    @property
    def median_s(self) -> float:
        """Median of the calls."""
        ordered = sorted(self.seconds)
        middle = len(ordered) // 2
        if len(ordered) % 2:
            return ordered[middle]
        return (ordered[middle - 1] + ordered[middle]) / 2

    @property
    def images_per_s(self) -> float:
        """Samples a second at the median."""
        return self.case.n / self.median_s


def render(rows: Sequence[Row], baseline: str = "eager") -> str:
    """Rows as a Markdown table; the ratio is to `baseline` at the same model and batch size."""
    base = {
        (row.case.model, row.case.batch_size): row.median_s
        for row in rows
        if row.seconds and row.case.backend == baseline
    }
    lines = [
        f"| model | batch | backend | images/s, median | spread (10-90 %) | x {baseline} |",
        "|---|---:|---|---:|---:|---:|",
    ]
    for row in rows:
        case = row.case
        head = f"| {case.model} | {case.batch_size} | {case.backend} |"
        if not row.seconds:
            lines.append(f"{head} not measured: {row.skipped} | | |")
            continue
        low, high = _percentile(row.seconds, 90), _percentile(row.seconds, 10)
        own = base.get((case.model, case.batch_size))
        ratio = f"{own / row.median_s:.2f}" if own and case.backend != "null" else ""
        spread = f"{case.n / low:,.0f} - {case.n / high:,.0f}"
        lines.append(f"{head} {row.images_per_s:,.0f} | {spread} | {ratio} |")
    return "\n".join(lines)


def _percentile(values: Sequence[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[round((len(ordered) - 1) * percent / 100)]
