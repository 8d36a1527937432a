"""What a Program is made of: named values, and fused operations with their weights.

Values are channels last, [batch, *spatial, channels], and shapes leave the batch out. Every
operation treats samples alike and apart, so a row of any product is a (sample, position) pair.
Weights are float32 arrays; batch, weight and spectral norms are folded into them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from engine.program.values import ELEMENTWISE_ACTIVATIONS as ELEMENTWISE_ACTIVATIONS
from engine.program.values import FUSED_ACTIVATIONS as FUSED_ACTIVATIONS
from engine.program.values import Activation as Activation
from engine.program.values import Array as Array
from engine.program.values import DType as DType
from engine.program.values import Floats as Floats
from engine.program.values import Layout as Layout
from engine.program.values import Shape as Shape
from engine.program.values import Value as Value
from kernels.geometry import Geometry


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
class Affine(Operation):
    """act(x * scale + shift) with numbers of the model.

    scale and shift have the rank of x or less and broadcast to x by numpy's rule (trailing axes
    aligned, size 1 repeats): [channels] is one number a channel. None is 1, or 0.
    """

    kind: ClassVar[str] = "affine"

    scale: Floats | None = None
    shift: Floats | None = None
    activation: Activation = field(default_factory=Activation)


@dataclass(frozen=True, eq=False, kw_only=True)
class PRelu(Operation):
    """x where x >= 0, slope * x below; slope broadcasts to x by numpy's rule."""

    kind: ClassVar[str] = "prelu"

    slope: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Binary(Operation):
    """act(a <function> b) of two values of one rank; axes of size 1 repeat to the other's size."""

    kind: ClassVar[str] = "binary"

    function: Literal["add", "sub", "mul", "div", "max", "min"]
    activation: Activation = field(default_factory=Activation)


@dataclass(frozen=True, eq=False, kw_only=True)
class MatMul(Operation):
    """a @ b of two values, [*axes, m, k] and [*axes, k, n] -> [*axes, m, n]: attention."""

    kind: ClassVar[str] = "matmul"


@dataclass(frozen=True, eq=False, kw_only=True)
class Softmax(Operation):
    """exp(x) / sum(exp(x)) over the last axis."""

    kind: ClassVar[str] = "softmax"


@dataclass(frozen=True, eq=False, kw_only=True)
class Reduce(Operation):
    """The mean, sum, max or min over axes (counted without the batch), which stay, with size 1."""

    kind: ClassVar[str] = "reduce"

    function: Literal["mean", "sum", "max", "min"]
    axes: tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(Operation):
    """The mean or max over windows of each channel; a window is a forward Geometry's.

    Positions outside the map do not take part, except that with `count_outside` a mean divides by
    all taps (rather than by those inside the map): padding counted as zeros.
    """

    kind: ClassVar[str] = "pool"

    function: Literal["mean", "max"]
    geometry: Geometry
    count_outside: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Constant(Operation):
    """The same values [*shape] for every sample; no inputs."""

    kind: ClassVar[str] = "constant"

    value: Floats


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
class Slice(Operation):
    """numpy's x[begin:end:step] on every axis: begin + step * i, i in 0 .. size - 1; step not 0.

    `sizes` is the shape that is left.
    """

    kind: ClassVar[str] = "slice"

    begin: tuple[int, ...]
    sizes: Shape
    step: tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Pad(Operation):
    """More positions before and after on every axis: a number, or numpy's reflect, edge, wrap."""

    kind: ClassVar[str] = "pad"

    before: tuple[int, ...]
    after: tuple[int, ...]
    mode: Literal["constant", "reflect", "edge", "wrap"] = "constant"
    value: float = 0.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Upsample(Operation):
    """Nearest neighbour: every position repeated scales[axis] times; all axes but the last."""

    kind: ClassVar[str] = "upsample"

    scales: tuple[int, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Resample(Operation):
    """Positions mixed axis by axis: matrices[axis] [new, old], or None; all axes but the last.

    Any interpolation with fixed weights, bilinear and bicubic among them.
    """

    kind: ClassVar[str] = "resample"

    matrices: tuple[Floats | None, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class InstanceNorm(Operation):
    """act((x - mean) / sqrt(variance + epsilon) * scale + shift) over positions, per channel.

    With `groups`, that many groups of neighbouring channels share their mean and variance (group
    norm). scale and shift [channels] always; variance is the mean of squares, not the unbiased one.
    """

    kind: ClassVar[str] = "instance_norm"

    scale: Floats
    shift: Floats
    epsilon: float = 1e-5
    groups: int | None = None
    activation: Activation = field(default_factory=Activation)


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerNorm(Operation):
    """(x - mean) / sqrt(variance + epsilon) * scale + shift over the last axis [channels]."""

    kind: ClassVar[str] = "layer_norm"

    scale: Floats
    shift: Floats
    epsilon: float = 1e-5


@dataclass(frozen=True, eq=False, kw_only=True)
class Embedding(Operation):
    """Rows of a table by index: int64 [*positions] -> [*positions, *shape].

    table [classes, *shape]; one label a sample has no positions. An index beyond the table is the
    caller's to refuse.
    """

    kind: ClassVar[str] = "embedding"

    table: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Recurrent(Operation):
    """LSTM or GRU over a sequence [time, features]; one step is a sequence of length 1.

    Gate order of ONNX: LSTM i, o, f, c; GRU z, r, h. weight [features, gates * hidden], recurrent
    [hidden, gates * hidden], bias and recurrent_bias [gates * hidden]. Inputs: the sequence, then
    none or all initial states [hidden] (h; LSTM h, c). Outputs: all hidden states [time, hidden],
    then the last states [hidden] (h; LSTM h, c). `linear_before_reset` is PyTorch's GRU. With
    `reverse` the last time is the first step; hidden states stand in the order of the sequence,
    and the last state is that of time 0.
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
        Affine,
        PRelu,
        Add,
        Binary,
        MatMul,
        Softmax,
        Reduce,
        Pool,
        Constant,
        Concat,
        Reshape,
        Permute,
        Slice,
        Pad,
        Upsample,
        Resample,
        InstanceNorm,
        LayerNorm,
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
