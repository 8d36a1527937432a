"""Graphs in two precisions: types, casts, and the float32 graph that rounds as they do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.mixed import LARGEST_FP16, Half, all_nodes, emulated, layers, typed

KINDS = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def network(scale: float = 1.0, resize: bool = False) -> onnx.ModelProto:
    """Gemm, Relu, Reshape, ConvTranspose, (Resize,) Tanh; the Gemm's sums are a second output."""
    weights = {
        "fc.weight": rng().standard_normal((8, 36)) * scale,
        "fc.bias": rng().standard_normal(36),
        "up.weight": rng().standard_normal((4, 3, 4, 4)) / 8,
    }
    nodes = [
        helper.make_node("Gemm", ["z", "fc.weight", "fc.bias"], ["sums"], "fc"),
        helper.make_node("Relu", ["sums"], ["relu"], "relu"),
        helper.make_node("Reshape", ["relu", "shape"], ["maps"], "reshape"),
        helper.make_node(
            "ConvTranspose", ["maps", "up.weight"], ["up"], "up", strides=[2, 2], pads=[1] * 4
        ),
        helper.make_node("Tanh", ["wide" if resize else "up"], ["images"], "tanh"),
    ]
    constants = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items()]
    constants.append(numpy_helper.from_array(np.array([-1, 4, 3, 3]), "shape"))
    if resize:
        scales = np.array([1, 1, 2, 2], np.float32)
        constants.append(numpy_helper.from_array(scales, "scales"))
        nodes.insert(4, helper.make_node("Resize", ["up", "", "scales"], ["wide"], "resize"))
    side = 12 if resize else 6
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [value("z", TensorProto.FLOAT, ["batch", 8])],
        [
            value("images", TensorProto.FLOAT, ["batch", 3, side, side]),
            value("sums", TensorProto.FLOAT, ["batch", 36]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def run(model: onnx.ModelProto) -> list[np.ndarray]:
    z = rng().standard_normal((5, 8)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(["images", "sums"], {"z": z})


def types(model: onnx.ModelProto) -> dict[str, int]:
    """Element types of all tensors."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = [*graph.input, *graph.output, *graph.value_info]
    found = {value.name: value.type.tensor_type.elem_type for value in values}
    return found | {item.name: item.data_type for item in graph.initializer}


def test_layers_are_products_with_what_follows() -> None:
    found = layers(network(resize=True))
    assert [(layer.name, layer.operator) for layer in found] == [
        ("fc", "Gemm"),
        ("up", "ConvTranspose"),
    ]
    assert [layer.tensors for layer in found] == [
        ("sums", "relu", "maps"),
        ("up", "wide", "images"),
    ]


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("chosen", [(), ("fc",), ("up",), ("fc", "up")], ids="+".join)
def test_types(precision: Half, chosen: tuple[str, ...]) -> None:
    model = network(resize=True)
    before = model.SerializeToString()
    nodes = all_nodes([layer for layer in layers(model) if layer.name in chosen])
    made = typed(model, nodes, precision)
    assert model.SerializeToString() == before
    onnx.checker.check_model(made, full_check=True)
    found = types(made)
    half, full = KINDS[precision], TensorProto.FLOAT
    assert found["relu"] == (half if "fc" in chosen else full)
    assert found["up"] == (half if "up" in chosen else full)
    # Borders are float32, and so is what Resize scales by.
    assert {found[name] for name in ("z", "images", "sums", "scales")} == {full}
    stored = {item.name for item in made.graph.initializer}
    assert (f"fc.weight.{precision}" in stored) == ("fc" in chosen)
    assert ("fc.weight" in stored) == ("fc" not in chosen)


@pytest.mark.parametrize("chosen", [("fc",), ("up",), ("fc", "up")], ids="+".join)
def test_fp16_is_what_the_rounding_graph_gives(chosen: tuple[str, ...]) -> None:
    model = network()
    nodes = all_nodes([layer for layer in layers(model) if layer.name in chosen])
    exact, ours, theirs = (
        run(m) for m in (model, typed(model, nodes, "fp16"), emulated(model, nodes, "fp16"))
    )
    for a, b, c in zip(exact, ours, theirs, strict=True):
        assert 0 < np.abs(c - a).max() < 2e-2 or np.array_equal(a, c)
        # A sum may fall on the other side of a half.
        assert np.abs(b - c).max() <= 4e-3
    assert not np.array_equal(exact[0], theirs[0])


def test_bf16_rounds_more_than_fp16() -> None:
    model = network()
    nodes = all_nodes(layers(model))
    exact = run(model)[0]
    fp16, bf16 = (np.abs(run(emulated(model, nodes, p))[0] - exact).max() for p in KINDS)  # type: ignore[arg-type]
    assert 3 * fp16 < bf16 < 0.1


def test_bfloat16_weights_are_rounded_to_nearest() -> None:
    made = typed(network(), all_nodes(layers(network())), "bf16")
    stored = {item.name: item for item in made.graph.initializer}
    bits = np.frombuffer(stored["up.weight.bf16"].raw_data, np.uint16).astype(np.uint32) << 16
    rounded = bits.view(np.float32).reshape(4, 3, 4, 4)
    weight = numpy_helper.to_array(network().graph.initializer[2])
    assert np.all(np.abs(rounded - weight) <= np.abs(weight) * 2**-8)


def test_weights_beyond_fp16_are_refused() -> None:
    from engine.core.errors import ExportError

    model = network(scale=LARGEST_FP16)
    with pytest.raises(ExportError, match=r"'fc.weight' holds .* --precision auto or bf16"):
        typed(model, all_nodes(layers(model)), "fp16")


def test_files_are_written_the_same_each_time(tmp_path: Path) -> None:
    nodes = all_nodes(layers(network()))
    first, second = (typed(network(), nodes, "fp16").SerializeToString() for _ in range(2))
    assert first == second
