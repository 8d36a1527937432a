"""Layers of a Program as the problems that convolution kernels solve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from engine.program.graph import Convolution, Linear, Program
from engine.program.planning.types import ElementType, Precision
from kernels.conv_transpose.problem import Problem
from kernels.geometry import Geometry

# A linear layer is a convolution without axes: one position, one tap.
_POINT = Geometry.forward((), ())


def layer_problem(
    operation: Convolution | Linear,
    program: Program,
    types: Mapping[str, ElementType],
    precision: Precision,
) -> Problem:
    """The problem of a layer, in the types that its values have."""
    if isinstance(operation, Linear):
        geometry, groups = _POINT, 1
        in_channels, out_channels = operation.weight.shape
    else:
        geometry, groups = operation.geometry, operation.groups
        in_channels, out_channels = operation.weight.shape[-2] * groups, operation.weight.shape[-1]
    return Problem(
        geometry=geometry,
        in_channels=in_channels,
        out_channels=out_channels,
        groups=groups,
        operand=precision.operand,
        output=cast(Any, types[operation.outputs[0]]),
        activation=cast(Any, operation.activation.kind),
        slope=operation.activation.alpha,
        value_range=precision.value_range,
    )


def rows_per_sample(operation: Convolution | Linear, program: Program) -> int:
    """How many rows of the problem's batch one sample is: leading axes of a linear layer."""
    if isinstance(operation, Linear):
        return math.prod(program.values[operation.inputs[0]].shape[:-1])
    return 1
