"""Results of several files put together, machine by machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.ratios import timed
from benchmarks.results import Case, Kind, Machine, Results, Run
from engine.core.errors import OptionError


@dataclass(frozen=True)
class Bundle:
    """All cases measured on one machine, and the runs that they come from."""

    machine: Machine
    runs: tuple[Run, ...]
    cases: tuple[Case, ...]

    def of(self, kind: Kind) -> list[Case]:
        """The measured cases of a kind, in their order."""
        return [case for case in self.cases if case.kind == kind and timed(case)]


def bundles(results: Sequence[Results]) -> list[Bundle]:
    """One bundle a machine. Raises OptionError where two files hold the same case."""
    found: dict[tuple[object, ...], list[Results]] = {}
    for one in results:
        # Versions may grow from run to run, as stages need packages that models do not.
        machine = replace(one.machine, versions=(), memory_bytes=0)
        found.setdefault((machine, one.run.threads), []).append(one)
    return [_joined(group) for group in found.values()]


def _joined(group: Sequence[Results]) -> Bundle:
    cases: dict[tuple[str, ...], Case] = {}
    for one in group:
        for case in one.cases:
            if case.key in cases:
                raise OptionError(f"two of the files hold {case.label}; give one of them")
            cases[case.key] = case
    versions = dict(pair for one in group for pair in one.machine.versions)
    machine = replace(group[0].machine, versions=tuple(versions.items()))
    return Bundle(machine, tuple(one.run for one in group), tuple(cases.values()))
