"""The README's section: made from results, put between two markers, and checked against them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from benchmarks.markdown import table
from benchmarks.ratios import best, flagship, headline, matmul_share, rate, speedup, timed
from benchmarks.reporting import tables, words
from benchmarks.reporting.bundle import Bundle
from benchmarks.results import Case, Contestant
from engine.core.errors import OptionError

SECTION = "benchmarks"
_MOST_REASONS = 6


def section(found: Sequence[Bundle]) -> str:
    """Machine, conditions and tables of each bundle, as Markdown."""
    parts = []
    for bundle in found:
        parts.append(f"{words.machine(bundle.machine)}; {words.versions(bundle.machine)}.")
        parts.append("; ".join(words.conditions(bundle)) + ".")
        for made in (_models, _layers, _against_yardsticks, _not_measured):
            text = made(bundle)
            if text:
                parts.append(text)
    return "\n\n".join(parts)


def spliced(readme: str, text: str, name: str = SECTION) -> str:
    """The README with `text` between the markers of a section: `<!-- NAME:begin -->`, and end.

    Raises OptionError where they are missing.
    """
    first, last = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    begin, end = readme.find(first), readme.find(last)
    if begin < 0 or end < begin or readme.count(first) + readme.count(last) != 2:
        raise OptionError(f"the README needs one line {first} and, after it, one line {last}")
    return f"{readme[: begin + len(first)]}\n{text}\n{readme[end:]}"


def difference(readme: str, text: str, name: str = SECTION) -> list[str]:
    """Lines in which the README and `text` differ, as a diff; none where they agree."""
    lines = difflib.unified_diff(
        readme.splitlines(),
        spliced(readme, text, name).splitlines(),
        "README",
        "results",
        n=0,
        lineterm="",
    )
    return list(lines)


def _models(bundle: Bundle) -> str:
    cases = [case for case in bundle.of("model") if case.output == "uint8"]
    if not cases:
        return ""
    head = (
        *("model", "n", "precision", "ours, images/s", "best peer, images/s", "x best peer"),
        *("of matmul", "PSNR dB, mean / worst", "KID change"),
    )
    rows = [_model(case) for case in sorted(cases, key=_order)]
    return table(head, rows, right=(1, 5, 6, 7, 8))


def _order(case: Case) -> tuple[str, str, int]:
    return case.name, case.precision, case.batch


def _model(case: Case) -> tuple[str, ...]:
    ours, peer = flagship(case), best(case, "peer")
    return (
        case.name,
        f"{case.batch:,}",
        case.precision,
        _named_rate(case, ours),
        _named_rate(case, peer),
        words.ratio(speedup(ours, peer)) if ours and peer else words.NOTHING,
        words.percent(matmul_share(case, ours)) if ours else words.NOTHING,
        words.psnr(ours.image_cost) if ours else words.NOTHING,
        words.kid(ours.image_cost) if ours else words.NOTHING,
    )


def _named_rate(case: Case, one: Contestant | None) -> str:
    return f"{one.name} {words.number(rate(case, one).median)}" if one else "not measured"


def _layers(bundle: Bundle) -> str:
    """The suite in a line for each precision: how many, the median, the worst and the best."""
    lines = []
    cases = bundle.of("layer")
    for precision in dict.fromkeys(case.precision for case in cases):
        ratios = {
            case.name: found[2].median
            for case in cases
            if case.precision == precision and (found := headline(case))
        }
        if ratios:
            worst, top = min(ratios, key=ratios.__getitem__), max(ratios, key=ratios.__getitem__)
            lines.append(
                f"Layer suite, {precision}, {len(ratios)} transposed convolutions: "
                f"{np.median(list(ratios.values())):.2f}x the best peer in the median, "
                f"{ratios[worst]:.2f}x in the worst case ({worst}), {ratios[top]:.2f}x in the best "
                f"({top})."
            )
    return "\n".join(lines)


def _against_yardsticks(bundle: Bundle) -> str:
    """Stages that have a yardstick, and memory."""
    rows = []
    for case in bundle.of("stage"):
        yardstick = best(case, "yardstick")
        for one in timed(case, "ours"):
            if yardstick:
                figure = f"{words.ratio(speedup(yardstick, one))} x the time of {yardstick.name}"
            elif one.peak_bytes is not None:
                figure = f"{one.peak_bytes / 1e6:,.0f} MB above the model"
            else:
                continue
            rows.append(
                (case.name, case.stage, f"{case.batch:,}", case.precision, one.name, figure)
            )
    if not rows:
        return ""
    return table(("model", "stage", "n", "precision", "what", "measured"), rows, right=(2,))


def _not_measured(bundle: Bundle) -> str:
    absent = tables.not_measured(bundle).rows
    if not absent:
        return ""
    lines = [f"{what} ({count}): {why}" for what, why, count, _ in absent[:_MOST_REASONS]]
    more = len(absent) - _MOST_REASONS
    if more > 0:
        lines.append(
            f"and {more} more reasons, on the page that `python -m benchmarks.report` makes"
        )
    return "Not measured (cases): " + "; ".join(lines) + "."
