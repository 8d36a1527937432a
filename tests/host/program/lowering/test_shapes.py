from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.core.errors import ExportError
from engine.program.lowering import lower
from tests.host.program.lowering.support import BATCH, agree, floats, kinds, model, node, only


def conv(name: str, source: str, weight: str) -> onnx.NodeProto:
    return node("ConvTranspose", [source, weight], name, strides=[2, 2])


def test_a_linear_layer_before_a_map_has_its_columns_in_channels_last_order() -> None:
    nodes = [
        node("Gemm", ["z", "w", "b"], "a"),
        node("Relu", ["a"], "r"),
        node("Reshape", ["r", "shape"], "m"),
        conv("y", "m", "v"),
    ]
    constants = {
        "w": floats(5, 24),
        "b": floats(24),
        "shape": [-1, 4, 2, 3],
        "v": floats(4, 2, 3, 3),
    }
    program = agree(model(nodes, {"z": [BATCH, 5]}, constants))
    assert kinds(program) == ["linear", "reshape", "convolution"]
    assert program.operations[1].shape == (2, 3, 4)


def test_a_linear_layer_after_a_map_has_its_rows_in_channels_last_order() -> None:
    nodes = [
        node("Conv", ["x", "w"], "a"),
        node("Flatten", ["a"], "f"),
        node("Gemm", ["f", "v"], "mean"),
        node("MatMul", ["f", "v"], "y"),
    ]
    proto = model(
        nodes,
        {"x": [BATCH, 2, 4, 5]},
        {"w": floats(3, 2, 2, 2), "v": floats(36, 4)},
        outputs=["mean", "y"],
    )
    assert kinds(agree(proto)) == ["convolution", "reshape", "linear", "linear"]


def test_a_map_that_two_branches_read_is_laid_out_once() -> None:
    nodes = [
        node("Gemm", ["z", "w"], "a"),
        node("Reshape", ["a", "shape"], "m"),
        node("Conv", ["m", "v"], "c", pads=[1, 1, 1, 1]),
        node("Add", ["m", "c"], "y"),
    ]
    constants = {"w": floats(5, 24), "shape": [0, 4, 2, 3], "v": floats(4, 4, 3, 3)}
    program = agree(model(nodes, {"z": [BATCH, 5]}, constants))
    assert kinds(program) == ["linear", "reshape", "convolution", "add"]


def test_a_conditional_norm_between_a_linear_layer_and_a_map() -> None:
    """Class-conditional batch norm: a scale of its own for each sample."""
    nodes = [
        node("Gemm", ["z", "w"], "a"),
        node("Reshape", ["a", "shape"], "m"),
        node("Gemm", ["z", "g"], "s"),
        node("Unsqueeze", ["s", "axes"], "s4"),
        node("Mul", ["m", "s4"], "n"),
        conv("y", "n", "v"),
    ]
    constants = {
        "w": floats(5, 24),
        "shape": [0, 4, 2, 3],
        "g": floats(5, 4),
        "axes": [2, 3],
        "v": floats(4, 2, 3, 3),
    }
    program = agree(model(nodes, {"z": [BATCH, 5]}, constants))
    assert [kind for kind in kinds(program) if kind != "reshape"] == [
        "linear",
        "linear",
        "binary",
        "convolution",
    ]


def test_the_shape_that_torchscript_computes() -> None:
    """x.view(x.size(0), -1) as Shape, Gather, Unsqueeze, Concat, Reshape."""
    nodes = [
        node("Relu", ["x"], "r"),
        node("Shape", ["r"], "s"),
        node("Gather", ["s", "zero"], "n", axis=0),
        node("Unsqueeze", ["n", "axes"], "n1"),
        node("Concat", ["n1", "rest"], "target", axis=0),
        node("Reshape", ["r", "target"], "y"),
    ]
    constants = {"zero": np.int64(0), "axes": [0], "rest": [-1]}
    program = agree(model(nodes, {"x": [BATCH, 2, 3, 4]}, constants))
    assert program.outputs[0].shape == (24,)


def test_latents_of_one_position_are_not_moved() -> None:
    proto = model([conv("y", "z", "w")], {"z": [BATCH, 6, 1, 1]}, {"w": floats(6, 3, 4, 4)})
    program = agree(proto)
    (z,) = program.inputs
    assert z.shape == (1, 1, 6)
    assert z.layout is not None
    assert z.layout.axes == (2, 3, 1)
    assert z.layout.channels_last
    assert kinds(program) == ["convolution"]


def test_inputs_and_outputs_that_are_channels_last_in_onnx_stay_so() -> None:
    nodes = [
        node("Transpose", ["x"], "t", perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], "c"),
        node("Transpose", ["c"], "y", perm=[0, 2, 3, 1]),
    ]
    program = agree(model(nodes, {"x": [BATCH, 4, 5, 3]}, {"w": floats(2, 3, 2, 2)}))
    assert kinds(program) == ["convolution"]
    assert program.inputs[0].layout.axes == program.outputs[0].layout.axes == (1, 2, 3)
    assert program.outputs[0].layout.channels_last


def test_a_sequence_for_a_convolution_is_laid_out_by_the_caller() -> None:
    program = agree(
        model([node("Conv", ["x", "w"], "y")], {"x": [BATCH, 3, 8]}, {"w": floats(2, 3, 3)})
    )
    assert kinds(program) == ["convolution"]
    assert program.inputs[0].shape == (8, 3)
    assert program.inputs[0].layout.axes == (2, 1)


def test_one_value_as_two_outputs_and_an_input_as_output() -> None:
    nodes = [node("Relu", ["x"], "y"), node("Identity", ["y"], "z"), node("Identity", ["x"], "w")]
    program = agree(model(nodes, {"x": [BATCH, 3]}, outputs=["y", "z", "w"]))
    assert [value.name for value in program.outputs] == ["y", "z", "w"]


def test_an_edge_within_an_axis_moves_the_data() -> None:
    nodes = [node("Conv", ["x", "w"], "c"), node("Reshape", ["c", "shape"], "y")]
    constants = {"w": floats(6, 2, 1, 1), "shape": [0, 4, 9]}
    assert "permute" in kinds(agree(model(nodes, {"x": [BATCH, 2, 2, 3]}, constants)))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space_and_back(mode: str) -> None:
    nodes = [
        node("DepthToSpace", ["x"], "d", blocksize=2, mode=mode),
        node("Sin", ["d"], "s"),
        node("SpaceToDepth", ["s"], "y", blocksize=2),
    ]
    agree(model(nodes, {"x": [BATCH, 12, 2, 3]}))


def test_expand_and_tile() -> None:
    nodes = [
        node("Unsqueeze", ["z", "axes"], "u"),
        node("Expand", ["u", "shape"], "e"),
        node("Tile", ["e", "twice"], "t"),
        node("Conv", ["t", "w"], "y"),
    ]
    constants = {
        "axes": [2, 3],
        "shape": [1, 3, 2, 4],
        "twice": [1, 1, 2, 1],
        "w": floats(2, 3, 2, 2),
    }
    agree(model(nodes, {"z": [BATCH, 3]}, constants))


@pytest.mark.parametrize("width", [3, 512])
def test_constants_that_grow_with_the_batch(width: int) -> None:
    """A learned start that is expanded to the batch, as in StyleGAN."""
    nodes = [
        node("Shape", ["z"], "s", start=0, end=1),
        node("Concat", ["s", "rest"], "target", axis=0),
        node("Expand", ["start", "target"], "e"),
        node("Relu", ["e"], "r"),
        node("Unsqueeze", ["z", "axes"], "z4"),
        node("Mul", ["r", "z4"], "y"),
    ]
    constants = {"rest": [width, 2, 4], "start": floats(1, width, 2, 4), "axes": [2, 3]}
    agree(model(nodes, {"z": [BATCH, width]}, constants))


def test_numbers_that_depend_on_the_batch_are_refused() -> None:
    nodes = [
        node("Shape", ["x"], "s", start=0, end=1),
        node("Cast", ["s"], "n", to=1),
        node("Div", ["x", "n"], "y"),
    ]
    with pytest.raises(
        ExportError, match="'node_y' \\(Div\\): it computes with the size of the batch"
    ):
        lower(model(nodes, {"x": [BATCH, 3]}))


@st.composite
def walks(draw: st.DrawFn) -> list[tuple[str, tuple[int, ...]]]:
    """Reshapes and transposes of [batch, 2, 6, 4] that leave the batch where it is."""
    shape, steps = [2, 6, 4], []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            order = draw(st.permutations(range(len(shape))))
            shape = [shape[axis] for axis in order]
            steps.append(("Transpose", (0, *(axis + 1 for axis in order))))
        else:
            sizes: list[int] = []
            rest = math.prod(shape)
            while rest > 1 and len(sizes) < 3:
                sizes.append(
                    draw(st.sampled_from([d for d in range(1, rest + 1) if rest % d == 0]))
                )
                rest //= sizes[-1]
            shape = [*sizes, rest]
            steps.append(("Reshape", (0, *shape)))
    return steps


@given(steps=walks())
@settings(max_examples=60, deadline=None)
def test_any_walk_of_reshapes_and_transposes(steps: list[Any]) -> None:
    nodes, constants, name = [], {}, "x"
    for index, (kind, numbers) in enumerate([*steps, ("Sin", ())]):
        made = "y" if kind == "Sin" else f"v{index}"
        if kind == "Transpose":
            nodes.append(node(kind, [name], made, perm=list(numbers)))
        elif kind == "Reshape":
            constants[f"s{index}"] = np.array(numbers, np.int64)
            nodes.append(node(kind, [name, f"s{index}"], made))
        else:
            nodes.append(node(kind, [name], made))
        name = made
    assume(nodes)
    agree(model(nodes, {"x": [BATCH, 2, 6, 4]}, constants))


def test_matmul_of_a_weight_and_a_tensor_of_tensors() -> None:
    nodes = [
        node("MatMul", ["w", "x"], "a"),
        node("MatMul", ["a", "x2"], "y"),
        node("Transpose", ["x"], "x2", perm=[0, 2, 1]),
    ]
    nodes = [nodes[0], nodes[2], nodes[1]]
    program = agree(model(nodes, {"x": [BATCH, 4, 5]}, {"w": floats(3, 4)}))
    assert only(program, "matmul").kind == "matmul"
