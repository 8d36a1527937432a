"""One case: who can take part, at which batch size, with the right result, in which time."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import matmul
from benchmarks.cases import Preset
from benchmarks.contestants.base import Competitor, Entry
from benchmarks.network import Work
from benchmarks.parity import Reference, Verdict, WrongResultError, check
from benchmarks.results import Contestant, Matmul, SweepPoint
from benchmarks.rounds import interleave
from benchmarks.sweep import best_size, sweep_over

Log = Callable[[str], None]

SLOW = "compiles for half a minute a case, and was not asked for (--compiled)"
_ROOT = Path(__file__).parents[1]
WRONG = "wrong result"
_MOST_CHARACTERS = 200


@dataclass(frozen=True)
class Ready:
    """A contestant at its best batch size, its result checked, waiting for the rounds."""

    competitor: Competitor
    entry: Entry
    verdict: Verdict
    batch_size: int
    sweep: tuple[SweepPoint, ...]

    def record(self, seconds: tuple[float, ...]) -> Contestant:
        """With its seconds by round."""
        return Contestant(
            name=self.competitor.name,
            role=self.competitor.role,
            settings=self.entry.settings,
            seconds=seconds,
            batch_size=self.batch_size,
            sweep=self.sweep,
            image_cost=self.verdict.cost,
            error=self.verdict.error,
        )


def measure(
    work: Work,
    reference: Reference,
    competitors: Sequence[Competitor],
    preset: Preset,
    log: Log,
) -> tuple[tuple[Contestant, ...], Matmul | None]:
    """Records of all contestants and of the matrix product; reasons where nothing was measured."""
    with contextlib.ExitStack() as cleanup:
        prepared = {
            one.name: left_out(one, SLOW)
            if one.slow_to_open and not preset.compiled
            else prepare(one, work, reference, cleanup, log)
            for one in competitors
        }
        ready = {name: one for name, one in prepared.items() if isinstance(one, Ready)}
        runs: dict[str, Callable[[], object]] = {name: one.entry.run for name, one in ready.items()}
        if runs:
            runs[matmul.NAME] = matmul.matmul(work.precision, work.threads, work.device)
        seconds = interleave(runs, preset.rounds)
    records = tuple(
        one.record(seconds[name]) if isinstance(one, Ready) else one
        for name, one in prepared.items()
    )
    return records, Matmul(matmul.FLOP, seconds[matmul.NAME]) if runs else None


def prepare(
    competitor: Competitor,
    work: Work,
    reference: Reference,
    cleanup: contextlib.ExitStack,
    log: Log,
) -> Ready | Contestant:
    """Open a contestant at each of its batch sizes and keep the fastest, or say why it is out."""
    reason = competitor.unavailable(work)
    if reason is not None:
        return left_out(competitor, reason)
    with contextlib.ExitStack() as losers:
        try:
            opened = open_all(competitor, work, reference, losers, log)
            sweep = sweep_over({size: entry.run for size, (entry, _) in opened.items()}, work.n)
        # Whatever a contestant raises is the reason why it has no time, and stands in the result.
        except Exception as error:
            log(f"{competitor.name} is left out: {described(error)}")
            return left_out(competitor, described(error))
        best = best_size(sweep) if sweep else next(iter(opened))
        entry, verdict = opened[best]
        if not isinstance(reference.judge, str):
            verdict = check(entry.run(), work, reference, reference.judge)
        losers.pop_all()
    # Threads and memory of the others shall be gone before time is taken.
    for size, (other, _) in opened.items():
        if size != best:
            other.close()
    cleanup.callback(entry.close)
    return Ready(competitor, entry, verdict, best, sweep)


def open_all(
    competitor: Competitor,
    work: Work,
    reference: Reference,
    cleanup: contextlib.ExitStack,
    log: Log,
) -> dict[int, tuple[Entry, Verdict]]:
    """A contestant at each of its batch sizes, with what its result is worth.

    Raises WrongResultError, and whatever the contestant raises.
    """
    opened: dict[int, tuple[Entry, Verdict]] = {}
    for size in competitor.batch_sizes(work):
        log(f"{competitor.name}, batches of {size}")
        entry = competitor.open(work, size)
        cleanup.callback(entry.close)
        opened[size] = entry, check(entry.run(), work, reference)
    return opened


def left_out(competitor: Competitor, reason: str) -> Contestant:
    """The record of a contestant without times."""
    return Contestant(competitor.name, competitor.role, "", not_measured=public(reason))


def public(reason: str) -> str:
    """A reason without the folder that this checkout lies in: results are published."""
    return reason.replace(f"{_ROOT}{os.sep}", "")


def described(error: Exception) -> str:
    """An exception as one line."""
    lines = str(error).strip().splitlines() or [""]
    text = lines[0][:_MOST_CHARACTERS]
    if isinstance(error, WrongResultError):
        return f"{WRONG}: {text}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
