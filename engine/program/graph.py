"""What a Program is made of: named values, and fused operations with their weights.

Values are channels last, [batch, *spatial, channels], and shapes leave the batch out. Every
operation treats samples alike and apart, so a row of any product is a (sample, position) pair.
Weights are float32 arrays; batch, weight and spectral norms are folded into them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from kernels.geometry import Geometry

Array = NDArray[Any]
Floats = NDArray[np.float32]
Shape = tuple[int, ...]
DType = Literal["float32", "int64"]


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor that flows between operations; its shape leaves the batch out."""

    name: str
    shape: Shape
    dtype: DType = "float32"


@dataclass(frozen=True, slots=True)
class Activation:
    """An elementwise function by name, with its numbers.

    none, relu, leaky_relu (alpha), tanh and sigmoid can end any fused operation; the rest stand in
    an Elementwise operation of their own.
    """

    kind: str = "none"
    alpha: float = 0.0
    beta: float = 0.0


FUSED_ACTIVATIONS = ("none", "relu", "leaky_relu", "tanh", "sigmoid")


@dataclass(frozen=True, eq=False, kw_only=True)
class Operation:
    """One step: reads values by name, writes values by name. `name` is that of its source node."""

    kind: ClassVar[str] = ""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Convolution(Operation):
    """act(conv(x, weight) + shift), forward or transposed, on 1 to 3 axes.

    weight [*kernel, in / groups, out]; shift [out] or none.
    """

    kind: ClassVar[str] = "convolution"

    geometry: Geometry
    weight: Floats
    shift: Floats | None = None
    groups: int = 1
    activation: Activation = field(default_factory=Activation)


@dataclass(frozen=True, eq=False, kw_only=True)
class Linear(Operation):
    """act(x @ weight + shift) over the last axis: weight [in, out], shift [out] or none."""

    kind: ClassVar[str] = "linear"

    weight: Floats
    shift: Floats | None = None
    activation: Activation = field(default_factory=Activation)


@dataclass(frozen=True, eq=False, kw_only=True)
class Elementwise(Operation):
    """An activation by itself."""

    kind: ClassVar[str] = "elementwise"

    activation: Activation


@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Operation):
    """act(a + b + ...) of values of one shape: residual connections."""

    kind: ClassVar[str] = "add"

    activation: Activation = field(default_factory=Activation)


@dataclass(frozen=True, eq=False, kw_only=True)
class Concat(Operation):
    """Values one after the other along an axis (counted without the batch; -1 is channels)."""

    kind: ClassVar[str] = "concat"

    axis: int = -1


@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(Operation):
    """The same elements, in the same order, in another shape."""

    kind: ClassVar[str] = "reshape"

    shape: Shape


@dataclass(frozen=True, eq=False, kw_only=True)
class Permute(Operation):
    """Axes in another order (counted without the batch)."""

    kind: ClassVar[str] = "permute"

    axes: tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Upsample(Operation):
    """Nearest neighbour: every spatial position repeated scales[axis] times."""

    kind: ClassVar[str] = "upsample"

    scales: tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class InstanceNorm(Operation):
    """act((x - mean) / sqrt(variance + epsilon) * scale + shift) over positions, per channel."""

    kind: ClassVar[str] = "instance_norm"

    scale: Floats
    shift: Floats
    epsilon: float = 1e-5
    activation: Activation = field(default_factory=Activation)


@dataclass(frozen=True, eq=False, kw_only=True)
class Embedding(Operation):
    """Rows of a table by index: table [classes, *shape], input int64 []."""

    kind: ClassVar[str] = "embedding"

    table: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Recurrent(Operation):
    """LSTM or GRU over a sequence [time, features]; one step is a sequence of length 1.

    Gate order of ONNX: LSTM i, o, f, c; GRU z, r, h. weight [features, gates * hidden], recurrent
    [hidden, gates * hidden], bias and recurrent_bias [gates * hidden]. Inputs: the sequence, then
    optional initial states. Outputs: all hidden states [time, hidden], then the last states.
    `linear_before_reset` is PyTorch's GRU.
    """

    kind: ClassVar[str] = "recurrent"

    cell: Literal["lstm", "gru"]
    weight: Floats
    recurrent: Floats
    bias: Floats
    recurrent_bias: Floats
    reverse: bool = False
    linear_before_reset: bool = True


OPERATIONS: Mapping[str, type[Operation]] = {
    operation.kind: operation
    for operation in (
        Convolution,
        Linear,
        Elementwise,
        Add,
        Concat,
        Reshape,
        Permute,
        Upsample,
        InstanceNorm,
        Embedding,
        Recurrent,
    )
}


@dataclass(frozen=True, eq=False)
class Program:
    """Operations in an order in which they can run, with the shape of every value they name."""

    name: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    operations: tuple[Operation, ...]
    values: Mapping[str, Value]
