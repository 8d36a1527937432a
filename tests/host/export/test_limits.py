"""Kernels with stride and dilation above one, spread for TensorRT: the same sums."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from engine.backends._tensorrt import flavours
from engine.core.errors import ExportError
from export.limits import without_strided_dilation
from export.plan import build_plan
from export.plan_options import BuildOptions


def network(
    rank: int, stride: int, dilation: int, groups: int = 1, output_padding: int = 0
) -> onnx.ModelProto:
    rng = np.random.default_rng(rank)
    kernel = rng.standard_normal((4, 6 // groups, *(3,) * rank)).astype(np.float32)
    bias = rng.standard_normal(6).astype(np.float32)
    node = helper.make_node(
        "ConvTranspose",
        ["x", "kernel", "bias"],
        ["y"],
        "up",
        strides=[stride] * rank,
        dilations=[dilation] * rank,
        kernel_shape=[3] * rank,
        group=groups,
        pads=[1] * 2 * rank,
        output_padding=[output_padding] * rank,
    )
    value = helper.make_tensor_value_info
    side = 4 * stride - 2 + 2 * dilation + output_padding + 1
    graph = helper.make_graph(
        [node],
        "g",
        [value("x", TensorProto.FLOAT, ["batch", 4, *(5,) * rank])],
        [value("y", TensorProto.FLOAT, ["batch", 6, *(side,) * rank])],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(bias, "bias")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(("groups", "output_padding"), [(1, 0), (2, 1)])
def test_the_same_sums(rank: int, groups: int, output_padding: int) -> None:
    model = network(rank, 2, 2, groups, output_padding)
    x = np.random.default_rng(9).standard_normal((2, 4, *(5,) * rank)).astype(np.float32)
    (before,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    assert without_strided_dilation(model) == ("up",)
    onnx.checker.check_model(model)
    (after,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    np.testing.assert_allclose(after, before, atol=2e-5)


@pytest.mark.parametrize(("stride", "dilation"), [(1, 2), (2, 1)])
def test_others_stay_as_they_are(stride: int, dilation: int) -> None:
    model = network(2, stride, dilation)
    before = model.SerializeToString()
    assert without_strided_dilation(model) == ()
    assert model.SerializeToString() == before


def test_a_computed_kernel_is_refused_by_name() -> None:
    model = network(2, 2, 2)
    model.graph.node.insert(0, helper.make_node("Neg", ["kernel"], ["negative"], "neg"))
    model.graph.node[1].input[1] = "negative"
    with pytest.raises(ExportError, match="'up' .*'negative' is computed in the graph"):
        without_strided_dilation(model)


@pytest.mark.skipif("tensorrt-rtx" not in flavours(), reason="needs TensorRT-RTX")
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_tensorrt_builds_it(rank: int, tmp_path: Path) -> None:
    onnx.save(network(rank, 2, 2), tmp_path / "up.onnx")
    plan = build_plan(tmp_path / "up.onnx", BuildOptions(targets=("sm89",)), "tensorrt-rtx")
    assert "kernel of up spread" in plan.log
