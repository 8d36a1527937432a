"""One rule for each ONNX operator: it reads a node and writes operations into the draft."""

from __future__ import annotations

from engine.program.lowering.rules import (
    binary,
    choice,
    convolution,
    join,
    linear,
    lookup,
    normalisation,
    pointwise,
    pooling,
    recurrent,
    region,
    resize,
    shape,
    softmax,
)
from engine.program.lowering.rules.registry import RULES as RULES
from engine.program.lowering.rules.registry import Rule as Rule

__all__ = [
    "RULES",
    "Rule",
    "binary",
    "choice",
    "convolution",
    "join",
    "linear",
    "lookup",
    "normalisation",
    "pointwise",
    "pooling",
    "recurrent",
    "region",
    "resize",
    "shape",
    "softmax",
]
