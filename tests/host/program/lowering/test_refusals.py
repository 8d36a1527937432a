"""What a Program cannot express is refused with the node's name and the reason."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from engine.core.errors import ArtifactError, ExportError
from engine.program.lowering import lower
from tests.host.program.lowering.support import BATCH, Shape, agree, floats, kinds, model, node

MAP = {"x": [BATCH, 3, 4, 4]}


def branch(name: str, operator: str) -> onnx.GraphProto:
    made = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    return helper.make_graph([helper.make_node(operator, ["x"], [name])], name, [], [made])


NODES: dict[str, tuple[list[Any], str]] = {
    "an operator of its own": (
        [node("NonMaxSuppression", ["x", "x"], "y")],
        r"node 'node_y' \(NonMaxSuppression\): a Program has no operation for it",
    ),
    "another domain": (
        [helper.make_node("FusedConv", ["x"], ["y"], name="n", domain="com.microsoft")],
        r"node 'n' \(FusedConv\): operators of the domain 'com.microsoft'",
    ),
    "no name": (
        [helper.make_node("Trilu", ["x"], ["y"])],
        r"the node Trilu that makes 'y': a Program has no operation",
    ),
    "noise": (
        [node("RandomNormalLike", ["x"], "n"), node("Add", ["x", "n"], "y")],
        r"node 'node_n' \(RandomNormalLike\): it draws noise inside the graph; the noise must",
    ),
    "noise of a fixed shape": (
        [node("RandomNormal", [], "n", shape=[1, 3, 4, 4]), node("Add", ["x", "n"], "y")],
        r"node 'node_n' \(RandomNormal\): it draws noise",
    ),
    "dropout that stays on": (
        [node("Dropout", ["x", "half", "yes"], "y")],
        "training_mode is on",
    ),
    "a sum over the batch": (
        [node("ReduceSum", ["x"], "y", keepdims=0)],
        r"node 'node_y' \(ReduceSum\): it works along axis 0, which is the batch",
    ),
    "a quantized graph": (
        [node("DynamicQuantizeLinear", ["x"], ["q", "a", "b"]), node("Cast", ["q"], "y", to=1)],
        "quantized graphs are not supported",
    ),
    "a batch that is moved into the channels": (
        [node("Reshape", ["x", "mixed"], "y")],
        r"the reshape to \[3, 65537, 16\] mixes the batch",
    ),
    "a product over the batch": (
        [node("Reshape", ["x", "flat"], "f"), node("Gemm", ["f", "w"], "y", transA=1)],
        "transA=1 would mix samples",
    ),
    "an output that holds the batch with another axis": (
        [node("Reshape", ["x", "rows"], "y")],
        "output 'y': its axis 0 holds the batch together with another axis",
    ),
    "an output without any input": (
        [node("Identity", ["w"], "y"), node("Relu", ["x"], "z")],
        "output 'y': it does not depend on any input",
    ),
    "a choice that differs between elements": (
        [node("Where", ["some", "x", "half"], "y")],
        r"node 'node_y' \(Where\): its condition picks both sides, element by element",
    ),
    "a broken node": (
        [node("Transpose", ["x"], "y", perm=[0, 1, 7, 2])],
        r"node 'node_y' \(Transpose\) is malformed",
    ),
}


@pytest.mark.parametrize(("nodes", "reason"), NODES.values(), ids=NODES)
def test_refused(nodes: list[Any], reason: str) -> None:
    constants = {
        "half": np.float32(0.5),
        "yes": np.array(True),
        "mixed": [3, -1, 16],
        "flat": [-1, 48],
        "rows": [-1, 16],
        "w": floats(3, 4),
        "some": np.array([True, False, True, False]),
    }
    with pytest.raises(ExportError, match=f"^small: .*{reason}"):
        lower(model(nodes, MAP, constants))


def test_a_condition_that_is_known_is_one_of_its_branches() -> None:
    choice = node(
        "If", ["yes"], "y", then_branch=branch("a", "Relu"), else_branch=branch("b", "Tanh")
    )
    program = agree(model([choice], MAP, {"yes": np.array(True)}))
    assert [op.activation.kind for op in program.operations] == ["relu"]


def test_a_condition_that_depends_on_the_data_is_refused() -> None:
    choice = node(
        "If", ["c"], "y", then_branch=branch("a", "Relu"), else_branch=branch("b", "Tanh")
    )
    proto = model([choice], {**MAP, "c": []})
    with pytest.raises(
        ExportError, match=r"'node_y' \(If\): control flow that depends on the data"
    ):
        lower(proto)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ([BATCH, 3, "h", "w"], r"free in axis 0 \('batch'\), axis 2 \('h'\), axis 3 \('w'\)"),
        ([1, 3, "h", 4], r"free in axis 2 \('h'\).*--input-shape x:1x3xhx4"),
    ],
    ids=["with the batch", "without"],
)
def test_other_free_axes_are_refused(shape: Shape, reason: str) -> None:
    with pytest.raises(ExportError, match=f"small: input 'x' is {reason}"):
        lower(model([node("Relu", ["x"], "y")], {"x": shape}))


def test_free_axes_that_are_given() -> None:
    proto = model(
        [node("Conv", ["x", "w"], "y")], {"x": [BATCH, 3, "h", "w"]}, {"w": floats(2, 3, 2, 2)}
    )
    program = agree(proto, input_shapes={"x": (-1, 3, 4, 6)})
    assert program.outputs[0].shape == (3, 5, 2)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"z": (-1, 3)}, "there is no input 'z'; the inputs are x"),
        ({"x": (-1, 3)}, "input 'x' has 4 axes, the shape given has 2"),
        ({"x": (-1, 5, 4, 4)}, "input 'x' has size 3 on axis 1, not 5"),
    ],
    ids=["name", "rank", "size"],
)
def test_shapes_that_do_not_fit(given: dict[str, Sequence[int]], reason: str) -> None:
    with pytest.raises(ExportError, match=reason):
        lower(model([node("Relu", ["x"], "y")], MAP), input_shapes=given)


def test_a_graph_for_a_fixed_batch_is_freed() -> None:
    nodes = [
        node("Gemm", ["z", "w"], "a"),
        node("Reshape", ["a", "shape"], "m"),
        node("Conv", ["m", "v"], "c"),
        node("Relu", ["c"], "y"),
    ]
    constants = {"w": floats(5, 24), "shape": [1, 4, 2, 3], "v": floats(2, 4, 2, 2)}
    program = agree(model(nodes, {"z": [1, 5]}, constants))
    assert kinds(program) == ["linear", "reshape", "convolution"]
    assert program.inputs[0].layout.source == (-1, 5)


def test_a_fixed_batch_of_several_must_run_through_the_graph() -> None:
    nodes = [node("Reshape", ["x", "shape"], "y")]
    program = lower(model(nodes, {"x": [4, 6]}, {"shape": [4, 2, 3]}))
    assert program.outputs[0].layout.source == (-1, 2, 3)
    with pytest.raises(ExportError, match="mixes the batch"):
        lower(model(nodes, {"x": [4, 6]}, {"shape": [2, 2, 6]}))


def test_a_channel_count_equal_to_a_fixed_batch_is_no_batch() -> None:
    nodes = [node("Conv", ["x", "w", "b"], "c"), node("Mul", ["c", "k"], "y")]
    constants = {"w": floats(4, 4, 1, 1), "b": floats(4), "k": np.repeat(floats(1, 4, 1, 1), 4, 0)}
    assert kinds(agree(model(nodes, {"x": [4, 4, 2, 2]}, constants), batch=4)) == ["convolution"]
    constants["k"] = floats(4, 4, 1, 1)
    with pytest.raises(ExportError, match="'node_y' \\(Mul\\): a constant differs from sample to"):
        lower(model(nodes, {"x": [4, 4, 2, 2]}, constants))


def test_an_input_that_all_samples_share() -> None:
    proto = model([node("Mul", ["x", "s"], "y")], {"x": [BATCH, 3, 4, 4], "s": [1, 3, 1, 1]})
    program = agree(proto)
    shared = program.inputs[1]
    assert shared.layout.batch is None
    assert shared.layout.to_program(np.zeros((1, 3, 1, 1))).shape == (1, *shared.shape)


def test_files_that_are_no_graphs(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such file"):
        lower(tmp_path / "none.onnx")
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"not an onnx file")
    with pytest.raises(ArtifactError, match="bad.onnx: not a readable ONNX file"):
        lower(bad)
    bad.write_bytes(b"")
    with pytest.raises(ArtifactError, match="bad.onnx: not an ONNX model"):
        lower(bad)
