"""Stages: what happens before, after and around the network, each as cases of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from benchmarks.measure import public
from benchmarks.results import Case, Stage
from benchmarks.stages import cold_process, copying, encoding, life, streaming, to_disk
from benchmarks.stages.records import stage_record
from engine.core.errors import EngineError

if TYPE_CHECKING:
    from benchmarks.bench import Bench
    from benchmarks.cases import StageCase

_MEASURED_BY: Mapping[Stage, Callable[[Bench, str], tuple[Case, ...]]] = {
    "build": life.measure,
    "copy": copying.measure,
    "encode": encoding.measure,
    "cold process": cold_process.measure,
    "sinks": to_disk.measure,
    "stream": streaming.measure,
}


def measure_stages(bench: Bench, case: StageCase, missing: str | None) -> tuple[Case, ...]:
    """Records of all stages of a case; with a reason in `missing`, none of them is measured."""
    try:
        if missing is None:
            return _MEASURED_BY[case.stages[0]](bench, case.model)
    except EngineError as error:
        missing = public(str(error))
    return tuple(stage_record(case.model, stage, skipped=missing) for stage in case.stages)
