from __future__ import annotations

import numpy as np
import pytest

from engine.core.errors import ExportError
from engine.program.lowering import lower
from tests.host.program.lowering.support import BATCH, agree, floats, kinds, model, node, only

LABELS = {"z": [BATCH, 4], "labels": [BATCH]}


@pytest.mark.parametrize("way", ["OneHot", "Cast", "Equal", "Scatter", "Gather", "GatherND"])
def test_labels_become_rows(way: str) -> None:
    steps = {
        "OneHot": [node("OneHot", ["labels", "depth", "values"], "rows")],
        "Cast": [
            node("OneHot", ["labels", "depth", "values"], "f"),
            node("Cast", ["f"], "i", to=7),
            node("Cast", ["i"], "rows", to=1),
        ],
        "Gather": [node("Gather", ["eye", "labels"], "rows")],
        "GatherND": [
            node("Unsqueeze", ["labels", "last"], "u"),
            node("GatherND", ["eye", "u"], "rows"),
        ],
        "Equal": [
            node("Unsqueeze", ["labels", "last"], "u"),
            node("Equal", ["u", "range"], "e"),
            node("Cast", ["e"], "rows", to=1),
        ],
        "Scatter": [
            node("Shape", ["labels"], "n"),
            node("Concat", ["n", "three"], "s", axis=0),
            node("ConstantOfShape", ["s"], "zeros"),
            node("Unsqueeze", ["labels", "last"], "u"),
            node("Shape", ["u"], "us"),
            node("Expand", ["one", "us"], "ones"),
            node("ScatterElements", ["zeros", "u", "ones"], "rows", axis=1),
        ],
    }[way]
    nodes = [*steps, node("Concat", ["z", "rows"], "c", axis=1), node("Gemm", ["c", "w"], "y")]
    constants = {
        "depth": np.int64(3),
        "values": np.array([0, 1], np.float32),
        "eye": np.eye(3, dtype=np.float32),
        "last": [1],
        "range": np.arange(3),
        "three": [3],
        "one": np.float32([[1]]),
        "w": floats(7, 5),
    }
    program = agree(model(nodes, LABELS, constants, integers=["labels"]))
    assert kinds(program) == ["embedding", "concat", "linear"]
    np.testing.assert_array_equal(only(program, "embedding").table, np.eye(3))


def test_tokens_become_a_sequence() -> None:
    nodes = [node("Gather", ["table", "tokens"], "e"), node("MatMul", ["e", "w"], "y")]
    constants = {"table": floats(3, 4), "w": floats(4, 2)}
    program = agree(model(nodes, {"tokens": [BATCH, 6]}, constants, integers=["tokens"]))
    assert program.inputs[0].shape == (6,)
    assert program.outputs[0].shape == (6, 2)


def test_a_table_whose_rows_are_maps() -> None:
    nodes = [
        node("Gather", ["table", "labels"], "e"),
        node("Reshape", ["e", "shape"], "m"),
        node("Conv", ["m", "w"], "y"),
    ]
    constants = {"table": floats(3, 24), "shape": [-1, 4, 2, 3], "w": floats(2, 4, 2, 2)}
    program = agree(model(nodes, {"labels": [BATCH]}, constants, integers=["labels"]))
    assert kinds(program) == ["embedding", "reshape", "convolution"]


def test_arithmetic_on_labels_is_refused() -> None:
    nodes = [node("Add", ["labels", "one"], "y")]
    with pytest.raises(ExportError, match="integers that depend on the sample"):
        lower(model(nodes, {"labels": [BATCH]}, {"one": np.int64(1)}, integers=["labels"]))


PARTS = {
    "crop": [node("Slice", ["x", "a", "b", "axes"], "y")],
    "every second, backwards": [node("Slice", ["x", "far", "a0", "axes", "back"], "y")],
    "one channel": [node("Gather", ["x", "three"], "y", axis=1)],
    "channels": [node("Gather", ["x", "some"], "y", axis=1)],
    "halves": [
        node("Split", ["x"], ["p", "q"], axis=1, num_outputs=2),
        node("Mul", ["p", "q"], "y"),
    ],
    "join": [node("Concat", ["x", "x"], "y", axis=-1)],
    "frame": [node("Pad", ["x", "pads", "seven"], "y")],
    "edge": [node("Pad", ["x", "pads"], "y", mode="edge")],
    "crop by pads": [node("Pad", ["x", "crop"], "y")],
}


@pytest.mark.parametrize("nodes", PARTS.values(), ids=PARTS)
def test_parts_and_margins(nodes: list[object]) -> None:
    constants = {
        "a": [1, 0],
        "b": [3, -1],
        "axes": [2, 3],
        "far": [100, 100],
        "a0": [-100, 0],
        "back": [-2, -1],
        "three": np.int64(3),
        "some": [0, 2, 3],
        "pads": [0, 0, 1, 2, 0, 0, 0, 1],
        "seven": np.float32(7),
        "crop": [0, 0, -1, 0, 0, -1, 0, -2],
    }
    agree(model(nodes, {"x": [BATCH, 4, 5, 6]}, constants))


def test_parts_of_the_batch_are_refused() -> None:
    nodes = [node("Slice", ["x", "a", "b", "a"], "y")]
    with pytest.raises(ExportError, match="works along axis 0, which is the batch"):
        lower(model(nodes, {"x": [BATCH, 4]}, {"a": [0], "b": [2]}))
