from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import ExportError
from engine.program.lowering import lower
from tests.host.program.lowering.support import BATCH, agree, floats, kinds, model, node, only

IMAGE = {"x": [BATCH, 6, 4, 5]}


def test_instance_norm_with_its_affine_and_activation() -> None:
    nodes = [
        node("InstanceNormalization", ["x", "s", "b"], "n"),
        node("Mul", ["n", "k"], "m"),
        node("Relu", ["m"], "y"),
    ]
    constants = {"s": floats(6), "b": floats(6, seed=1), "k": floats(6, 1, 1, seed=2)}
    program = agree(model(nodes, IMAGE, constants))
    assert kinds(program) == ["instance_norm"]
    assert program.operations[0].activation.kind == "relu"


def test_group_norm_as_torch_writes_it() -> None:
    nodes = [
        node("Reshape", ["x", "groups"], "g"),
        node("InstanceNormalization", ["g", "ones", "zeros"], "n"),
        node("Shape", ["x"], "shape"),
        node("Reshape", ["n", "shape"], "r"),
        node("Mul", ["r", "s"], "m"),
        node("Add", ["m", "b"], "y"),
    ]
    constants = {
        "groups": [0, 3, -1],
        "ones": np.ones(3, np.float32),
        "zeros": np.zeros(3, np.float32),
        "s": floats(6, 1, 1),
        "b": floats(6, 1, 1, seed=1),
    }
    operation = only(agree(model(nodes, IMAGE, constants)), "instance_norm")
    assert operation.groups == 3


def test_group_norm_of_opset_21() -> None:
    nodes = [node("GroupNormalization", ["x", "s", "b"], "y", num_groups=2)]
    program = agree(model(nodes, IMAGE, {"s": floats(6), "b": floats(6, seed=1)}, opset=21))
    assert only(program, "instance_norm").groups == 2


def test_instance_norm_in_steps() -> None:
    nodes = [
        node("ReduceMean", ["x"], "mean", axes=[2, 3]),
        node("Sub", ["x", "mean"], "d"),
        node("Pow", ["d", "two"], "p"),
        node("ReduceMean", ["p"], "var", axes=[2, 3]),
        node("Add", ["var", "eps"], "v"),
        node("Sqrt", ["v"], "s"),
        node("Div", ["d", "s"], "y"),
    ]
    constants = {"two": np.float32(2), "eps": np.float32(1e-5)}
    program = agree(model(nodes, IMAGE, constants, opset=17))
    assert kinds(program) == ["instance_norm"]
    assert program.operations[0].epsilon == pytest.approx(1e-5)


@pytest.mark.parametrize("axis", [-1, 1], ids=["features", "everything"])
def test_layer_norm(axis: int) -> None:
    size = (5,) if axis == -1 else (4, 5)
    nodes = [
        node("LayerNormalization", ["x", "s", "b"], "n", axis=axis),
        node("Gemm" if axis == 2 else "MatMul", ["n", "w"], "y"),
    ]
    constants = {"s": floats(*size), "b": floats(*size, seed=1), "w": floats(5, 3)}
    assert "layer_norm" in kinds(agree(model(nodes, {"x": [BATCH, 4, 5]}, constants)))


def test_layer_norm_over_a_map_in_channels_last_order() -> None:
    nodes = [
        node("Conv", ["x", "w"], "c"),
        node("LayerNormalization", ["c", "s", "b"], "n", axis=1),
        node("Conv", ["n", "v"], "y"),
    ]
    constants = {
        "w": floats(3, 6, 1, 1),
        "s": floats(3, 4, 5),
        "b": floats(3, 4, 5, seed=1),
        "v": floats(2, 3, 2, 2),
    }
    assert "permute" not in kinds(agree(model(nodes, IMAGE, constants)))


@pytest.mark.parametrize(("axis", "opset"), [(-1, 20), (1, 20), (1, 11)], ids=str)
def test_softmax(axis: int, opset: int) -> None:
    agree(model([node("Softmax", ["x"], "y", axis=axis)], IMAGE, opset=opset))
    agree(model([node("LogSoftmax", ["x"], "y", axis=axis)], IMAGE, opset=opset))


POOLS = {
    "AveragePool": {"kernel_shape": [2, 3], "strides": [2, 1], "pads": [1, 0, 0, 2]},
    "MaxPool": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    "GlobalAveragePool": {},
    "GlobalMaxPool": {},
}


@pytest.mark.parametrize(("operator", "attributes"), POOLS.items(), ids=POOLS)
def test_pooling(operator: str, attributes: dict[str, object]) -> None:
    agree(model([node(operator, ["x"], "y", **attributes)], IMAGE))


def test_padding_counted_by_an_average() -> None:
    attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1}
    program = agree(model([node("AveragePool", ["x"], "y", **attributes)], IMAGE))
    assert only(program, "pool").count_outside


@pytest.mark.parametrize(
    "operator", ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2"]
)
@pytest.mark.parametrize("keep", [0, 1])
def test_reductions(operator: str, keep: int) -> None:
    nodes = [node(operator, ["x", "axes"], "y", keepdims=keep)]
    agree(model(nodes, IMAGE, {"axes": [1, -1]}))


def test_norms_over_the_batch_are_refused() -> None:
    constants = {"s": floats(6), "b": floats(6), "m": floats(6), "v": np.abs(floats(6))}
    nodes = [
        node("BatchNormalization", ["x", "s", "b", "m", "v"], ["y", "a", "c"], training_mode=1)
    ]
    with pytest.raises(ExportError, match="training mode and would mix samples"):
        lower(model(nodes, IMAGE, constants, opset=15))
    with pytest.raises(ExportError, match="along axis 0, which is the batch: samples would mix"):
        lower(model([node("ReduceMean", ["x"], "y", axes=[0])], IMAGE, opset=13))
