"""What can be chosen for an ONNX file."""

from __future__ import annotations

from typing import Literal

Precision = Literal["fp32", "fp16-weights"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16-weights")

DEFAULT_OPSET = 20
# What torch 2.13 converts to from its own 18, and onnxruntime 1.31 then runs, for every network of
# this package.
OPSETS = range(16, 27)
