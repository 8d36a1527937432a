"""Graphs that compute in two precisions: chosen layers in half, the rest in float32.

A layer is a product (convolution, matrix product, recurrent cell) with what follows it element by
element, up to the next product. In a mixed graph the types of the tensors say what computes in
what: strongly typed, as TensorRT wants it, with a Cast where the precision changes. Inputs and
outputs of the graph stay float32.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from engine.core.errors import ExportError

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

Half = Literal["fp16", "bf16"]

LARGEST_FP16 = 65504.0
PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN")
# Elementwise functions, norms and moves that every runtime has in half precision.
_FOLLOWERS = (
    *("Add", "Sub", "Mul", "Div", "Neg", "Abs", "Sqrt", "Pow", "Exp", "Max", "Min", "Clip"),
    *("Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Celu", "Softplus", "Sigmoid", "HardSigmoid"),
    *("Tanh", "Gelu", "Erf", "HardSwish", "Mish", "Softsign"),
    *("BatchNormalization", "InstanceNormalization", "MaxPool", "AveragePool"),
    *("Identity", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Concat", "Split"),
    *("Slice", "Pad", "Expand", "Tile", "Resize", "Upsample", "DepthToSpace", "SpaceToDepth"),
)
# Inputs that are float32 whatever the data are.
_ALWAYS_FLOAT = {"Resize": (1, 2), "Upsample": (1,)}


@dataclass(frozen=True, slots=True)
class Layer:
    """Nodes by their place in the graph, and the tensors that they make."""

    name: str
    operator: str
    nodes: tuple[int, ...]
    tensors: tuple[str, ...]


def layers(model: ModelProto) -> tuple[Layer, ...]:
    """The layers of a graph in order; nodes before the first product belong to none."""
    graph = model.graph
    members: list[list[int]] = []
    # The layer, counted from one, that a tensor was made in.
    made_in: dict[str, int] = {}
    for index, node in enumerate(graph.node):
        number = max((made_in.get(name, 0) for name in node.input), default=0)
        if node.op_type in PRODUCTS:
            members.append([index])
            number = len(members)
        elif node.op_type in _FOLLOWERS and number:
            members[number - 1].append(index)
        made_in.update(dict.fromkeys(node.output, number))
    return tuple(_layer(graph, nodes) for nodes in members)


def typed(model: ModelProto, lower: Collection[int], precision: Half) -> ModelProto:
    """A copy whose nodes `lower` compute in a half precision.

    Raises ExportError for weights beyond the range of float16.
    """
    from onnx import ModelProto, TensorProto, helper

    kinds = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
    result, floats = ModelProto(), _floats(model)
    result.CopyFrom(model)
    graph = result.graph
    weights = {item.name: item for item in graph.initializer}
    halves: set[str] = set()  # float32 in the model, half from here on
    made: dict[tuple[str, bool], str] = {}
    nodes: list[NodeProto] = []

    def as_wanted(name: str, half: bool) -> str:
        """The tensor in the precision that is wanted, cast once."""
        if (name in halves) == half:
            return name
        key = name, half
        if key not in made:
            made[key] = f"{name}.{precision if half else 'fp32'}"
            if name in weights:
                graph.initializer.append(_halved(weights[name], made[key], precision))
            else:
                to = kinds[precision] if half else TensorProto.FLOAT
                nodes.append(
                    helper.make_node("Cast", [name], [made[key]], f"cast.{made[key]}", to=to)
                )
        return made[key]

    outputs = {value.name for value in graph.output}
    for index, node in enumerate(graph.node):
        half = index in lower
        always = _ALWAYS_FLOAT.get(node.op_type, ())
        for place, name in enumerate(node.input):
            if name in floats:
                node.input[place] = as_wanted(name, half and place not in always)
        nodes.append(node)
        if not half:
            continue
        for place, name in enumerate(node.output):
            if name not in floats:
                continue
            halves.add(name)
            if name in outputs:
                inner = f"{name}.{precision}"
                node.output[place] = inner
                nodes.append(
                    helper.make_node("Cast", [inner], [name], f"cast.{name}", to=TensorProto.FLOAT)
                )
                # Whoever reads it takes the half; the output itself is float32.
                halves.discard(name)
                made[name, True] = inner
    return _rebuilt(result, nodes)


def emulated(model: ModelProto, lower: Collection[int], precision: Half) -> ModelProto:
    """A float32 graph that rounds what the nodes `lower` read and make to a half precision.

    This is what hardware computes that multiplies halves and sums in float32; it runs where the
    half precision itself does not.
    """
    from onnx import ModelProto, TensorProto, helper

    kinds = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
    result, floats = ModelProto(), _floats(model)
    result.CopyFrom(model)
    nodes: list[NodeProto] = []
    rounded: dict[str, str] = {}

    def round_trip(source: str, target: str) -> None:
        half = f"{target}.half"
        for name, made, to in (
            (source, half, kinds[precision]),
            (half, target, TensorProto.FLOAT),
        ):
            nodes.append(helper.make_node("Cast", [name], [made], f"cast.{made}", to=to))

    for index, node in enumerate(result.graph.node):
        if index not in lower:
            nodes.append(node)
            continue
        always = _ALWAYS_FLOAT.get(node.op_type, ())
        for place, name in enumerate(node.input):
            if name not in floats or place in always:
                continue
            if name not in rounded:
                rounded[name] = f"{name}.rounded"
                round_trip(name, rounded[name])
            node.input[place] = rounded[name]
        nodes.append(node)
        for place, name in enumerate(node.output):
            if name in floats:
                node.output[place] = f"{name}.exact"
                round_trip(node.output[place], name)
                rounded[name] = name
    return _rebuilt(result, nodes)


def _layer(graph: GraphProto, nodes: list[int]) -> Layer:
    product = graph.node[nodes[0]]
    stored = {item.name for item in graph.initializer}
    weight = next((name for name in product.input if name in stored), product.name)
    made = tuple(name for index in nodes for name in graph.node[index].output if name)
    return Layer(weight.removesuffix(".weight"), product.op_type, tuple(nodes), made)


def _floats(model: ModelProto) -> frozenset[str]:
    """Names of all float32 tensors."""
    from onnx import TensorProto, shape_inference

    graph = shape_inference.infer_shapes(model, strict_mode=True).graph
    values = [*graph.input, *graph.output, *graph.value_info]
    found = {v.name for v in values if v.type.tensor_type.elem_type == TensorProto.FLOAT}
    found |= {item.name for item in graph.initializer if item.data_type == TensorProto.FLOAT}
    return frozenset(found)


def _halved(weight: TensorProto, name: str, precision: Half) -> TensorProto:
    from onnx import TensorProto, helper, numpy_helper

    values = numpy_helper.to_array(weight)
    if precision == "bf16":
        bits = values.astype(np.float32).view(np.uint32)
        # To nearest, ties to even; weights are finite.
        halves = ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)
        return helper.make_tensor(
            name, TensorProto.BFLOAT16, values.shape, halves.tobytes(), raw=True
        )
    if np.abs(values).max(initial=0.0) > LARGEST_FP16:
        raise ExportError(
            f"{weight.name!r} holds {np.abs(values).max():.4g}, more than float16 can "
            f"({LARGEST_FP16:g}); give --precision auto or bf16"
        )
    return numpy_helper.from_array(values.astype(np.float16), name)


def _rebuilt(model: ModelProto, nodes: list[NodeProto]) -> ModelProto:
    """The model with other nodes, without weights that nothing reads and types that are old."""
    from onnx import NodeProto

    graph = model.graph
    copies = []
    for node in nodes:
        copy = NodeProto()
        copy.CopyFrom(node)
        copies.append(copy)
    del graph.node[:]
    graph.node.extend(copies)
    del graph.value_info[:]
    read = {name for node in copies for name in node.input}
    kept = [item for item in graph.initializer if item.name in read]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return model


def all_nodes(chosen: Collection[Layer]) -> frozenset[int]:
    """The nodes of some layers."""
    return frozenset(index for layer in chosen for index in layer.nodes)
