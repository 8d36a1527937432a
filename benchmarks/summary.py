"""A case in a few lines of a terminal; `python -m benchmarks.report` has all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.ratios import headline, matmul_share, rate, speedup, spread, timed
from benchmarks.results import Case, Contestant


def summary_lines(cases: Sequence[Case]) -> Iterator[str]:
    """Of each case: who was how fast, the best of ours over the best peer, who was left out."""
    for case in cases:
        yield case.label
        if case.skipped:
            yield f"    not measured: {case.skipped}"
        for one in sorted(timed(case), key=lambda one: spread(one.seconds).median):
            share = matmul_share(case, one)
            yield f"    {one.name:24} {_speed(case, one)}" + (
                f"   {share.median:5.2f} x matmul" if share else ""
            )
        for one in case.contestants:
            if one.not_measured:
                yield f"    {one.name:24} not measured: {one.not_measured}"
        found = headline(case)
        if found:
            ours, peer, ratio = found
            yield (
                f"    {ours.name} / {peer.name}: {ratio.median:.2f} "
                f"({ratio.low:.2f}-{ratio.high:.2f})"
            )
        for one in timed(case, "yardstick"):
            for other in timed(case, "ours"):
                yield f"    {other.name}: {speedup(one, other).median:.2f} x {one.name}"


def _speed(case: Case, contestant: Contestant) -> str:
    """Samples a second; of a stage, the time that it takes."""
    if case.kind == "stage":
        return f"{1e3 * spread(contestant.seconds).median:12,.1f} ms"
    return f"{rate(case, contestant).median:12,.1f} /s"
