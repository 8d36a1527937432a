"""Two runs held against each other: what got faster or slower, and what is only noise.

Machines swing threefold, so no time is compared with one of another run. In each round a contestant
of ours is divided by the geometric mean of what ran beside it in both runs: the matrix product, the
peers and the yardsticks. The logarithms of these ratios, [rounds] of A and of B, are compared by
the Mann-Whitney test, corrected over all cases after Holm. A change must show beside each of the
references alone too: a busy machine slows runtimes unequally (one whose threads wait for each other
most), round after round, and no test on the rounds sees that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.comparability import (
    Seconds,
    absent,
    broken,
    changed_versions,
    machine_difference,
    references,
    relative,
)
from benchmarks.rank_test import Shift, holm, shift, smallest_p
from benchmarks.results import Case, Results

Outcome = Literal["faster", "slower", "broken", "same within noise", "not comparable"]


@dataclass(frozen=True)
class Method:
    """How sure a verdict must be, and how large a change that counts (a share of the speed).

    Two processes of the same code differ by a few percent (layout of memory, placement), which no
    number of rounds within one of them shows; the threshold is for these.
    """

    confidence: float = 0.95
    threshold: float = 0.05


@dataclass(frozen=True)
class Verdict:
    """What became of one contestant in one case; `speed` is B's over A's with its interval."""

    case: str
    contestant: str
    outcome: Outcome
    reason: str = ""
    speed: tuple[float, float, float] | None = None
    p: float | None = None
    references: tuple[str, ...] = ()


def compare(a: Results, b: Results, method: Method) -> list[Verdict]:
    """A verdict for every contestant of ours in every case of A or B."""
    before = {case.key: case for case in a.cases}
    after = {case.key: case for case in b.cases}
    refused = machine_difference(a, b)
    use_peers = not changed_versions(a, b)
    found: list[Verdict | _Compared] = []
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        either = [case for case in (old, new) if case is not None]
        names = dict.fromkeys(
            one.name for case in either for one in case.contestants if one.role == "ours"
        )
        for name in names:
            failed = broken(old, new, name)
            reason = refused or absent(old, new, name)
            if failed and not refused:
                found.append(Verdict(either[0].label, name, "broken", failed))
            elif reason or old is None or new is None:
                found.append(Verdict(either[0].label, name, "not comparable", reason or ""))
            else:
                found.append(_compared(old, new, name, use_peers, method))
    return _decide(found, method)


@dataclass(frozen=True)
class _Compared:
    case: str
    contestant: str
    shift: Shift
    smallest_p: float
    rounds: tuple[int, int]
    # B's speed over A's beside each reference alone.
    beside: dict[str, float]


def _compared(
    old: Case, new: Case, name: str, use_peers: bool, method: Method
) -> Verdict | _Compared:
    beside = references(old, new, use_peers)
    if not beside:
        reason = "nothing ran beside it in both runs"
        return Verdict(old.label, name, "not comparable", reason)
    a, b = (relative(case, name, beside) for case in (old, new))
    moved = shift(a, b, method.confidence)
    floor = smallest_p(len(a), len(b))
    alone = {other: _alone(old, new, name, other, beside[other]) for other in beside}
    return _Compared(old.label, name, moved, floor, (len(a), len(b)), alone)


def _alone(old: Case, new: Case, name: str, other: str, seconds: Seconds) -> float:
    """B's speed over A's beside one reference."""
    a, b = (relative(case, name, {other: seconds}) for case in (old, new))
    return math.exp(-shift(a, b).estimate)


def _decide(found: Sequence[Verdict | _Compared], method: Method) -> list[Verdict]:
    compared = [one for one in found if isinstance(one, _Compared)]
    corrected = iter(holm([one.shift.p for one in compared]))
    return [
        one if isinstance(one, Verdict) else _verdict(one, next(corrected), len(compared), method)
        for one in found
    ]


def _verdict(one: _Compared, p: float, cases: int, method: Method) -> Verdict:
    speed = _speed(one.shift)
    alpha = 1.0 - method.confidence
    outcome: Outcome = "same within noise"
    reason = ""
    if one.smallest_p * cases > alpha:
        outcome = "not comparable"
        first, second = one.rounds
        reason = f"{first} and {second} rounds cannot tell among {cases} cases; measure more"
    elif p <= alpha and abs(speed[0] - 1.0) >= method.threshold:
        outcome = "slower" if speed[0] < 1.0 else "faster"
        if not all(_agrees(alone, speed[0], method) for alone in one.beside.values()):
            outcome = "not comparable"
            reason = f"the references moved apart: {_listed(one.beside)}"
    return Verdict(one.case, one.contestant, outcome, reason, speed, p, tuple(one.beside))


def _agrees(alone: float, together: float, method: Method) -> bool:
    """Whether a change shows beside one reference, at least by half of what counts."""
    least = method.threshold / 2
    return alone <= 1.0 - least if together < 1.0 else alone >= 1.0 + least


def _listed(beside: dict[str, float]) -> str:
    return ", ".join(f"{alone:.2f} beside {name}" for name, alone in beside.items())


def _speed(moved: Shift) -> tuple[float, float, float]:
    """Estimate and interval of the speed; longer is slower, so the bounds change places."""
    return math.exp(-moved.estimate), math.exp(-moved.high), math.exp(-moved.low)
