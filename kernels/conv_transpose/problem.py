"""One fused convolution layer, as all designs, the planner and the report see it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from kernels.geometry import Geometry

Operand = Literal["fp16", "bf16", "fp32"]
OutputType = Literal["fp16", "bf16", "fp32", "uint8"]
Activation = Literal["none", "relu", "leaky_relu", "tanh", "sigmoid"]

OPERANDS: tuple[Operand, ...] = ("fp16", "bf16", "fp32")
OUTPUT_TYPES: tuple[OutputType, ...] = ("fp16", "bf16", "fp32", "uint8")
ACTIVATIONS: tuple[Activation, ...] = ("none", "relu", "leaky_relu", "tanh", "sigmoid")


@dataclass(frozen=True, slots=True)
class Problem:
    """out = act(conv(x, w) * scale + shift), channels last.

    x   [batch, *input_size, in_channels]     operand type
    w   [*kernel, in_channels / groups, out_channels]; packed by the design
    out [batch, *output_size, out_channels]   output type

    scale and shift are [out_channels] float32. `conv` is the transposed or the forward convolution
    of the geometry (`kernels.geometry`). `slope` is that of leaky_relu. A uint8 output maps
    value_range to 0 .. 255, rounded to nearest (half to even) and clipped. The batch is not part of
    a problem: it is the one number that changes from launch to launch.
    """

    geometry: Geometry
    in_channels: int
    out_channels: int
    groups: int = 1
    operand: Operand = "fp16"
    output: OutputType = "fp16"
    activation: Activation = "none"
    slope: float = 0.2
    value_range: tuple[float, float] = (-1.0, 1.0)

    def __post_init__(self) -> None:
        for name, valid in (
            ("operand", OPERANDS),
            ("output", OUTPUT_TYPES),
            ("activation", ACTIVATIONS),
        ):
            value = getattr(self, name)
            if value not in valid:
                raise ValueError(f"{name}={value!r} is not one of {', '.join(valid)}")
        for name in ("in_channels", "out_channels", "groups"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        low, high = self.value_range
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"value_range={self.value_range} must be finite and rising")
        if self.in_channels % self.groups or self.out_channels % self.groups:
            raise ValueError(
                f"groups={self.groups} must divide in_channels={self.in_channels} and "
                f"out_channels={self.out_channels}"
            )

    @property
    def useful_flops(self) -> int:
        """FLOPs of one sample, counting only taps inside the map."""
        channels = self.in_channels * self.out_channels // self.groups
        return 2 * channels * self.geometry.useful_products()
