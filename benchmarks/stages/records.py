"""Records of stages: what their cases have in common."""

from __future__ import annotations

from typing import Any

from benchmarks.model_networks import source_of
from benchmarks.results import Case, Precision, Stage

# Samples of one step in the life of an engine: a sheet of pictures.
SHEET = 32


def stage_record(
    model: str,
    stage: Stage,
    batch: int = SHEET,
    precision: Precision = "fp32",
    *,
    form: str = "",
    **fields: Any,
) -> Case:
    """The record of one stage of a model, to uint8 images; `form` tells files of it apart."""
    name = f"{model} {form}" if form else model
    return Case("stage", name, source_of(model), batch, precision, "uint8", stage=stage, **fields)
