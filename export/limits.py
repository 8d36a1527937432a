"""What TensorRT does not build: worked around, or refused by the layer's name before the build.

Strides and dilations above one in one transposed convolution: a kernel of k taps that are d apart
is one of d (k - 1) + 1 taps, zero between them; the sums are the same, with the same padding.
Transposed convolutions in bfloat16: TensorRT-RTX 1.7 cannot infer their types; they are refused.
Matrix products and 3-D convolutions in float32 on Turing (sm75): TensorRT-RTX 1.7 has no code for
them; they are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from engine.core.errors import ExportError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

# Of a kernel: out, in, depth, height, width.
_RANK_OF_3D = 5


def without_strided_dilation(model: ModelProto) -> tuple[str, ...]:
    """Spread such kernels in place; gives the names of their nodes.

    Raises ExportError for a kernel that is computed in the graph.
    """
    from onnx import helper, numpy_helper

    graph = model.graph
    weights = {item.name: item for item in graph.initializer}
    changed: list[str] = []
    for node in graph.node:
        dilations, strides = _numbers(node, "dilations"), _numbers(node, "strides")
        if node.op_type != "ConvTranspose" or max(dilations, default=1) == 1:
            continue
        if max(strides, default=1) == 1:
            continue
        if node.input[1] not in weights:
            raise ExportError(
                f"node {node.name!r} (ConvTranspose): TensorRT does not build stride {strides} "
                f"with dilation {dilations}, and its kernel {node.input[1]!r} is computed in the "
                "graph, so it cannot be spread; export the network with a constant kernel"
            )
        spread = _spread(numpy_helper.to_array(weights[node.input[1]]), dilations)
        # Another node may read the kernel as it was.
        name = f"{node.input[1]}.spread.{len(changed)}"
        graph.initializer.append(numpy_helper.from_array(spread, name))
        node.input[1] = name
        kept = [item for item in node.attribute if item.name not in ("dilations", "kernel_shape")]
        del node.attribute[:]
        node.attribute.extend(
            [*kept, helper.make_attribute("kernel_shape", list(spread.shape[2:]))]
        )
        changed.append(node.name or node.output[0])
    return tuple(changed)


def refuse_bf16_deconvolutions(model: ModelProto) -> None:
    """Raise ExportError naming the transposed convolutions whose kernels are bfloat16."""
    from onnx import TensorProto

    halves = {
        item.name for item in model.graph.initializer if item.data_type == TensorProto.BFLOAT16
    }
    named = [
        repr(node.name or node.output[0])
        for node in model.graph.node
        if node.op_type == "ConvTranspose" and node.input[1] in halves
    ]
    if named:
        raise ExportError(
            f"TensorRT-RTX does not build transposed convolutions in bfloat16: {', '.join(named)}; "
            "export with --precision auto or fp16"
        )


def refuse_float32_on_turing(model: ModelProto) -> None:
    """Raise ExportError naming the float32 layers that cannot be built for sm75."""
    import onnx

    try:
        graph = onnx.shape_inference.infer_shapes(model).graph
    except onnx.shape_inference.InferenceError:
        # The builder's parser says what is wrong with such a graph.
        return
    floats = {
        value.name
        for value in (*graph.value_info, *graph.output)
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    }
    volumes = {item.name for item in graph.initializer if len(item.dims) == _RANK_OF_3D}
    named = [
        repr(node.name or node.output[0])
        for node in graph.node
        if node.output[0] in floats
        and (
            node.op_type in ("Gemm", "MatMul")
            or (node.op_type in ("Conv", "ConvTranspose") and node.input[1] in volumes)
        )
    ]
    if named:
        raise ExportError(
            f"TensorRT-RTX builds no matrix products and no 3-D convolutions in float32 for sm75: "
            f"{', '.join(named)}; export with --precision auto or fp16, or for sm80 and newer"
        )


def _spread(kernel: Any, dilations: list[int]) -> Any:
    sizes = [d * (size - 1) + 1 for d, size in zip(dilations, kernel.shape[2:], strict=True)]
    spread = np.zeros((*kernel.shape[:2], *sizes), kernel.dtype)
    spread[(slice(None), slice(None), *(slice(None, None, d) for d in dilations))] = kernel
    return spread


def _numbers(node: NodeProto, name: str) -> list[int]:
    return next((list(item.ints) for item in node.attribute if item.name == name), [])
