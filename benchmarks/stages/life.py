"""The life of an engine in one process: build, cold start, first sample, steady state.

Packages are imported before; a process from its start is `cold_process`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from benchmarks.cases import LIFE
from benchmarks.contestants import lives
from benchmarks.contestants.base import Builder, Competitor
from benchmarks.measure import SLOW, described, public
from benchmarks.model_networks import model_inputs, reloaded
from benchmarks.network import Work
from benchmarks.parity import Reference, check, make_reference
from benchmarks.results import Case, Contestant, Stage
from benchmarks.rounds import repeats, rotated, seconds_of
from benchmarks.stages.records import SHEET, stage_record

if TYPE_CHECKING:
    from benchmarks.bench import Bench

# Some compile for half a minute in each: the table needs the order of magnitude.
_MOST_ROUNDS = 5
_NOTHING_TO_BUILD = "opens the model's file as it is"


@dataclass
class Lived:
    """Seconds of a contestant by stage and round; why it left, if it did."""

    seconds: dict[Stage, list[float]] = field(default_factory=lambda: {s: [] for s in LIFE})
    settings: str = ""
    reason: str | None = None


def measure(bench: Bench, model: str) -> tuple[Case, ...]:
    """One record a stage. Raises ArtifactError where the model is not at hand."""
    network = bench.network(model)
    work = Work(network, model_inputs(network, SHEET), "fp32", "uint8", bench.threads, bench.folder)
    competitors = lives()
    lived = {one.name: Lived(reason=_reason(one, work, bench)) for one in competitors}
    reference = make_reference(work)
    rounds = min(bench.preset.rounds, _MOST_ROUNDS)
    for number in range(rounds):
        for one in rotated(competitors, number):
            story = lived[one.name]
            if story.reason is None:
                bench.log(f"{one.name}, round {number + 1} of {rounds}")
                try:
                    _live(one, replace(work, network=reloaded(network)), reference, story)
                # Whatever a contestant raises is the reason why it has no time.
                except Exception as error:
                    story.reason = described(error)
    return tuple(
        stage_record(
            model,
            stage,
            contestants=tuple(_contestant(one, stage, lived[one.name]) for one in competitors),
        )
        for stage in LIFE
    )


def _live(one: Competitor, work: Work, reference: Reference, story: Lived) -> None:
    """From nothing to steady state, once."""
    if isinstance(one, Builder):
        story.seconds["build"].append(seconds_of(lambda: one.build(work)))
    begin = time.perf_counter()
    entry = one.open(work, SHEET)
    opened = time.perf_counter()
    try:
        made = entry.run()
        first = time.perf_counter()
        check(made, work, reference)
        once = seconds_of(entry.run)
        story.seconds["steady state"].append(seconds_of(entry.run, repeats(once)))
    finally:
        entry.close()
    story.seconds["cold start"].append(opened - begin)
    story.seconds["first sample"].append(first - opened)
    story.settings = entry.settings


def _reason(one: Competitor, work: Work, bench: Bench) -> str | None:
    if one.slow_to_open and not bench.preset.compiled:
        return SLOW
    reason = one.unavailable(work)
    return None if reason is None else public(reason)


def _contestant(one: Competitor, stage: Stage, story: Lived) -> Contestant:
    reason = story.reason
    if reason is None and not story.seconds[stage]:
        reason = _NOTHING_TO_BUILD
    seconds: Sequence[float] = () if reason else story.seconds[stage]
    return Contestant(
        one.name,
        one.role,
        story.settings,
        tuple(seconds),
        batch_size=SHEET,
        not_measured=reason,
    )
