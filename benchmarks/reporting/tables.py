"""Rows of the tables; speed and image cost stand side by side in each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.ratios import best, flagship, intensity, matmul_share, rate, speedup, spread, timed
from benchmarks.reporting import words
from benchmarks.reporting.bundle import Bundle
from benchmarks.results import Case, Contestant


@dataclass(frozen=True)
class Table:
    """A head, rows of text, which columns hold numbers, and which rows are ours."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    ours: tuple[int, ...] = ()


def contestants(cases: Sequence[Case]) -> Table:
    """Everybody in these cases, case by case, the fastest first."""
    head = (
        *("n", "precision", "output", "contestant", "samples/s", "x best peer", "of matmul"),
        *("PSNR dB, mean / worst", "uint8 steps", "KID change", "error"),
        *("batch", "batch sweep, samples/s"),
    )
    rows: list[tuple[str, ...]] = []
    ours: list[int] = []
    for case in cases:
        for one in sorted(timed(case), key=lambda one: spread(one.seconds).median):
            if one.role == "ours":
                ours.append(len(rows))
            rows.append(
                (f"{case.batch:,}", case.precision, case.output, *_speed_and_cost(case, one))
            )
    return Table(head, tuple(rows), (0, 4, 5, 6, 7, 8, 9, 10, 11), tuple(ours))


def _speed_and_cost(case: Case, one: Contestant) -> tuple[str, ...]:
    peer = best(case, "peer")
    return (
        one.name,
        words.with_spread(rate(case, one)),
        words.ratio(speedup(one, peer)) if peer else words.NOTHING,
        words.percent(matmul_share(case, one)),
        *cost(one),
        _error(one),
        words.NOTHING if one.batch_size is None else f"{one.batch_size:,}",
        words.sweep(one),
    )


def cost(one: Contestant) -> tuple[str, str, str]:
    """PSNR, uint8 steps and change of KID."""
    return words.psnr(one.image_cost), words.steps(one.image_cost), words.kid(one.image_cost)


def layers(cases: Sequence[Case]) -> Table:
    """Ours and the best peer of each layer; the cost of a layer is its error."""
    head = (
        *("layer", "n", "precision", "ours", "x best peer", "best peer", "of matmul", "FLOP/byte"),
        *("error", "peer's error", "source"),
    )
    rows = tuple(_layer(case) for case in cases)
    return Table(head, rows, (1, 4, 6, 7, 8, 9))


def _layer(case: Case) -> tuple[str, ...]:
    ours, peer = flagship(case), best(case, "peer")
    density = intensity(case)
    return (
        case.name,
        f"{case.batch:,}",
        case.precision,
        ours.name if ours else "not measured",
        words.ratio(speedup(ours, peer)) if ours and peer else words.NOTHING,
        peer.name if peer else "not measured",
        words.percent(matmul_share(case, ours)) if ours else words.NOTHING,
        words.NOTHING if density is None else words.number(density),
        _error(ours),
        _error(peer),
        case.source,
    )


def _error(one: Contestant | None) -> str:
    return words.NOTHING if one is None or one.error is None else f"{one.error:.1e}"


def stages(cases: Sequence[Case]) -> Table:
    """Every stage of every contestant; a yardstick is what the others are held against."""
    head = (
        *("model", "stage", "n", "precision", "contestant", "time", "x best peer or yardstick"),
        *("peak memory", "PSNR dB, mean / worst", "uint8 steps", "KID change"),
    )
    rows: list[tuple[str, ...]] = []
    ours: list[int] = []
    for case in cases:
        against = best(case, "yardstick") or best(case, "peer")
        for one in timed(case):
            if one.role == "ours":
                ours.append(len(rows))
            middle = spread(one.seconds)
            times = f"{words.duration(middle.low)} to {words.duration(middle.high)}"
            rows.append(
                (
                    case.name,
                    case.stage,
                    f"{case.batch:,}",
                    case.precision,
                    one.name,
                    f"{words.duration(middle.median)} ({times})",
                    words.ratio(speedup(one, against)) if against else words.NOTHING,
                    words.NOTHING if one.peak_bytes is None else f"{one.peak_bytes / 1e6:,.0f} MB",
                    *cost(one),
                )
            )
    return Table(head, tuple(rows), (2, 5, 6, 7, 8, 9, 10), tuple(ours))


def settings(bundle: Bundle) -> Table:
    """How every contestant was set up."""
    found: dict[tuple[str, str, str], None] = {}
    for case in bundle.cases:
        for one in timed(case):
            found[one.name, one.role, one.settings] = None
    return Table(("contestant", "role", "settings"), tuple(sorted(found)), ())


def not_measured(bundle: Bundle) -> Table:
    """What has no figure: for each reason, in how many cases and in which."""
    found: dict[tuple[str, str], list[str]] = {}
    for who, reason, label in _missing(bundle):
        found.setdefault((who, reason), []).append(label)
    rows = tuple(
        (who, reason, f"{len(labels):,}", _few(labels)) for (who, reason), labels in found.items()
    )
    return Table(("what", "why", "cases", "which"), rows, (2,))


def _missing(bundle: Bundle) -> Iterator[tuple[str, str, str]]:
    for case in bundle.cases:
        if case.skipped:
            yield f"all, on {case.device}", case.skipped, case.label
        for one in case.contestants:
            if one.not_measured:
                yield one.name, one.not_measured, case.label
            elif one.image_cost and one.image_cost.kid_reason:
                yield "KID", one.image_cost.kid_reason, f"{one.name}: {case.label}"


def _few(labels: Sequence[str], most: int = 3) -> str:
    rest = f" and {len(labels) - most:,} more" if len(labels) > most else ""
    return "; ".join(labels[:most]) + rest
