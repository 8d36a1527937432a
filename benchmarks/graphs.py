"""ONNX graphs for the peers: a model that ends in uint8 images, and a layer by itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.layer_suite import Layer
from benchmarks.network import Array

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

_OPSET = 18
_BOUNDED = {"Tanh": (-1.0, 1.0), "Sigmoid": (0.0, 1.0)}


def ends_bounded(path: Path, value_range: tuple[float, float]) -> bool:
    """Whether the last function of a graph cannot leave the range."""
    import onnx

    graph = onnx.load(path).graph
    made_by = {name: node for node in graph.node for name in node.output}
    last = _last(made_by, graph)
    return _BOUNDED.get(last.op_type) == tuple(value_range)


def with_images(path: Path, out: Path, value_range: tuple[float, float]) -> Path:
    """The graph with its output [batch, C, H, W] turned into uint8 [batch, H, W, C].

    Scaled, rounded to nearest, clipped where the network does not bound its values, and transposed
    last, when a number is a byte: the cheapest order for all runtimes.
    """
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(path)
    graph, (low, high) = model.graph, value_range
    floats = graph.output[0]
    batch, *sizes = floats.type.tensor_type.shape.dim
    channels, height, width = (size.dim_value for size in sizes)
    scale = 255.0 / (high - low)
    numbers = {"scale": scale, "shift": 0.5 - low * scale, "least": 0.0, "most": 255.0}
    graph.initializer.extend(
        helper.make_tensor(f"images/{name}", TensorProto.FLOAT, [], [value])
        for name, value in numbers.items()
    )
    steps = [("Mul", ("scale",)), ("Add", ("shift",))]
    if not ends_bounded(path, value_range):
        steps.append(("Clip", ("least", "most")))
    source = floats.name
    for kind, names in steps:
        made = f"images/{kind}"
        inputs = [source, *(f"images/{name}" for name in names)]
        graph.node.append(helper.make_node(kind, inputs, [made]))
        source = made
    graph.node.append(helper.make_node("Cast", [source], ["images/bytes"], to=TensorProto.UINT8))
    graph.node.append(
        helper.make_node("Transpose", ["images/bytes"], ["images/uint8"], perm=[0, 2, 3, 1])
    )
    shape = [batch.dim_param or batch.dim_value, height, width, channels]
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("images/uint8", TensorProto.UINT8, shape))
    onnx.save(model, out)
    return out


def layer_graph(layer: Layer, weight: Array, bias: Array, out: Path) -> Path:
    """One transposed convolution: weight [in, out, *kernel] and bias [out], as PyTorch has them."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    inside, outside = layer.channels
    node = helper.make_node(
        "ConvTranspose",
        ["x", "weight", "bias"],
        ["y"],
        kernel_shape=list(layer.kernel),
        strides=list(layer.stride),
        pads=[*layer.padding, *layer.padding],
        output_padding=list(layer.output_padding),
    )
    shapes = {"x": (inside, *layer.size), "y": (outside, *layer.geometry.output_size)}
    given, made = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
        for name, shape in shapes.items()
    )
    graph = helper.make_graph(
        [node],
        layer.name,
        [given],
        [made],
        [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)])
    # What onnxruntime reads lags behind what onnx writes by default.
    model.ir_version = 10
    onnx.checker.check_model(model)
    onnx.save(model, out)
    return out


def _last(made_by: dict[str, NodeProto], graph: GraphProto) -> NodeProto:
    """The node that makes the values of the output, whatever shape it has been given since."""
    node = made_by[graph.output[0].name]
    while node.op_type in ("Reshape", "Identity"):
        node = made_by[node.input[0]]
    return node
