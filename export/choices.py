"""What can be chosen for an ONNX file."""

from __future__ import annotations

from typing import Literal

# Of weights alone; of the arithmetic; "auto" is fp16 where the image budget holds, else fp32.
WeightPrecision = Literal["fp32", "fp16-weights"]
Precision = Literal["fp32", "fp16-weights", "fp16", "bf16", "auto", "int8"]
OnnxOutput = Literal["float32", "uint8"]
WEIGHT_PRECISIONS: tuple[WeightPrecision, ...] = ("fp32", "fp16-weights")
PRECISIONS: tuple[Precision, ...] = (*WEIGHT_PRECISIONS, "fp16", "bf16", "auto", "int8")
ONNX_OUTPUTS: tuple[OnnxOutput, ...] = ("float32", "uint8")

DEFAULT_OPSET = 20
# The first in which convolutions take bfloat16.
BF16_OPSET = 22
# What torch 2.13 converts to from its own 18, and onnxruntime 1.31 then runs, for every network of
# this package.
OPSETS = range(16, 27)
