"""What flows between operations: named values, how they lie in ONNX tensors, and activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Floats = NDArray[np.float32]
Shape = tuple[int, ...]
DType = Literal["float32", "int64"]


@dataclass(frozen=True, slots=True)
class Layout:
    """How an input or output lies in the ONNX tensor of the same name.

    `source` is that tensor's shape with -1 for the batch; `axes` names its axis for each axis of
    the value; `batch` is its batch axis, or None if it has none and all samples share it. So
    value = tensor.transpose(batch, *axes): NCHW images are axes (2, 3, 1), batch 0.
    """

    source: Shape
    axes: Shape
    batch: int | None = 0

    @property
    def channels_last(self) -> bool:
        """Whether the tensor's bytes already are the value's, so that no copy is needed."""
        order = ((self.batch,) if self.batch is not None else ()) + self.axes
        moved = [axis for axis in order if self.source[axis] != 1]
        return moved == sorted(moved)

    def to_program(self, tensor: Array) -> Array:
        """[tensor of the ONNX graph] -> [batch, *shape], a view."""
        if self.batch is None:
            one: Array = np.expand_dims(tensor.transpose(self.axes), 0)
            return one
        return tensor.transpose((self.batch, *self.axes))

    def to_source(self, value: Array) -> Array:
        """[batch, *shape] -> [tensor of the ONNX graph], a view."""
        if self.batch is None:
            shared: Array = value[0].transpose(_inverse(self.axes))
            return shared
        return value.transpose(_inverse((self.batch, *self.axes)))


def _inverse(order: Shape) -> Shape:
    return tuple(order.index(axis) for axis in range(len(order)))


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor that flows between operations; its shape leaves the batch out.

    Inputs and outputs of a lowered Program have a layout; the values between have none.
    """

    name: str
    shape: Shape
    dtype: DType = "float32"
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class Activation:
    """An elementwise function by name, with its numbers.

    none, relu, leaky_relu (alpha), tanh and sigmoid can end any fused operation. The rest stand in
    an Elementwise operation of their own, and are, by ONNX's definitions:
    elu (alpha), celu (alpha), selu (alpha, beta is gamma), softplus, softsign, mish, silu,
    gelu (with erf), gelu_tanh, hard_sigmoid (clip(alpha * x + beta, 0, 1)),
    hard_swish (x * clip(x / 6 + 1/2, 0, 1)), thresholded_relu (alpha),
    clip (to alpha .. beta, which may be infinite), exp, log, sqrt, reciprocal, abs, neg, erf, sin,
    cos, power (x ** alpha), floor, ceil, round (half to even), sign.
    """

    kind: str = "none"
    alpha: float = 0.0
    beta: float = 0.0


FUSED_ACTIVATIONS = ("none", "relu", "leaky_relu", "tanh", "sigmoid")
ELEMENTWISE_ACTIVATIONS = (
    "elu",
    "celu",
    "selu",
    "softplus",
    "softsign",
    "mish",
    "silu",
    "gelu",
    "gelu_tanh",
    "hard_sigmoid",
    "hard_swish",
    "thresholded_relu",
    "clip",
    "exp",
    "log",
    "sqrt",
    "reciprocal",
    "abs",
    "neg",
    "erf",
    "sin",
    "cos",
    "power",
    "floor",
    "ceil",
    "round",
    "sign",
)
