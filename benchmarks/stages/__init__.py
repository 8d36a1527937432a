"""Stages: what happens before, after and around the network, each as cases of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from benchmarks.measure import public
from benchmarks.results import Case, Stage
from benchmarks.stages.cold_process import cold_process
from benchmarks.stages.copying import copying
from benchmarks.stages.encoding import encoding
from benchmarks.stages.life import life
from benchmarks.stages.records import stage_record
from benchmarks.stages.streaming import streaming
from benchmarks.stages.to_disk import to_disk
from engine.core.errors import EngineError

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.cases import StageCase

_MEASURED_BY: Mapping[Stage, Callable[[Bench, str], tuple[Case, ...]]] = {
    "build": life,
    "copy": copying,
    "encode": encoding,
    "cold process": cold_process,
    "sinks": to_disk,
    "stream": streaming,
}


def measure_stages(bench: Bench, case: StageCase, missing: str | None) -> tuple[Case, ...]:
    """Records of all stages of a case; with a reason in `missing`, none of them is measured."""
    try:
        if missing is None:
            return _MEASURED_BY[case.stages[0]](bench, case.model)
    except EngineError as error:
        missing = public(str(error))
    return tuple(stage_record(case.model, stage, skipped=missing) for stage in case.stages)
