"""Records of stages: what their cases have in common."""

from __future__ import annotations

from typing import Any

from benchmarks.model_networks import source_of
from benchmarks.results import Case, Stage

# Samples of one step in the life of an engine: a sheet of pictures.
SHEET = 32


def stage_record(model: str, stage: Stage, batch: int = SHEET, **fields: Any) -> Case:
    """The record of one stage of a model, in fp32 and to uint8 images."""
    return Case("stage", model, source_of(model), batch, "fp32", "uint8", stage=stage, **fields)
