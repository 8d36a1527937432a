"""Which figures of two runs may be held against each other.

The class of machine must be the same. A peer is a reference only where it is set up alike in both
runs and no package changed its version; otherwise the matrix product and the yardsticks are left.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.ratios import named, timed
from benchmarks.results import Case, Contestant, Results

# The versions of ours are what is compared.
_OWN = "generator-engine"

Seconds = Callable[[Case], Sequence[float]]


def machine_difference(a: Results, b: Results) -> str | None:
    """Why runs of these two machines cannot be compared, or None."""
    for name in ("cpu", "cores", "isa", "gpu"):
        one, other = getattr(a.machine, name), getattr(b.machine, name)
        if one != other:
            return f"another class of machine: {name} {_shown(one)} and {_shown(other)}"
    if a.run.threads != b.run.threads:
        return f"{a.run.threads} and {b.run.threads} threads"
    return None


def changed_versions(a: Results, b: Results) -> list[str]:
    """Packages whose version differs; where there are any, peers say nothing about our code."""
    first, second = dict(a.machine.versions), dict(b.machine.versions)
    return [
        f"{name} {first.get(name, 'none')} -> {second.get(name, 'none')}"
        for name in sorted(first.keys() | second.keys())
        if name != _OWN and first.get(name) != second.get(name)
    ]


def broken(old: Case | None, new: Case | None, name: str) -> str | None:
    """Why a contestant that was measured in A no longer runs in B, or None: it failed there."""
    if old is None or new is None or new.skipped or named(old, name) is None:
        return None
    contestant = next((one for one in new.contestants if one.name == name), None)
    return contestant.not_measured if contestant else None


def absent(old: Case | None, new: Case | None, name: str) -> str | None:
    """Why a contestant has no figures in both runs, or None."""
    for run, case in (("A", old), ("B", new)):
        if case is None:
            return f"missing in {run}"
        if case.skipped:
            return f"skipped in {run}: {case.skipped}"
        contestant = next((one for one in case.contestants if one.name == name), None)
        if contestant is None:
            return f"missing in {run}"
        if contestant.not_measured:
            return f"not measured in {run}: {contestant.not_measured}"
    return None


def references(old: Case, new: Case, use_peers: bool) -> dict[str, Seconds]:
    """What ran beside a case of ours in both runs, by name, with where its seconds are."""
    found: dict[str, Seconds] = {}
    if old.matmul and new.matmul and old.matmul.flop == new.matmul.flop:
        found["matmul"] = _matmul_seconds
    for one in timed(old):
        other = named(new, one.name)
        if one.role == "ours" or other is None or not _same_setup(one, other):
            continue
        if use_peers or one.role == "yardstick":
            found[one.name] = _seconds_of(one.name)
    return found


def relative(case: Case, name: str, beside: dict[str, Seconds]) -> list[float]:
    """Logarithm, round by round, of a contestant's seconds over the geometric mean of `beside`."""
    level = np.mean([np.log(seconds(case)) for seconds in beside.values()], axis=0)
    ratios: list[float] = (np.log(_seconds_of(name)(case)) - level).tolist()
    return ratios


def _same_setup(one: Contestant, other: Contestant) -> bool:
    return (one.settings, one.batch_size) == (other.settings, other.batch_size)


def _matmul_seconds(case: Case) -> Sequence[float]:
    return case.matmul.seconds if case.matmul else ()


def _seconds_of(name: str) -> Seconds:
    def seconds(case: Case) -> Sequence[float]:
        contestant = named(case, name)
        return contestant.seconds if contestant else ()

    return seconds


def _shown(value: object) -> str:
    return " ".join(value) if isinstance(value, tuple) else str(value)
