"""Small ONNX graphs, and their Programs held against onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.program.check import check_program
from engine.program.execute import execute
from engine.program.graph import Operation, Program
from engine.program.lowering import lower

# onnxruntime computes in float32, the executor in float64: what is left is float32's rounding over
# sums of at most a few hundred products, relative to the largest output.
TOLERANCE = 1e-5
BATCH = "batch"
Shape = Sequence[int | str]


def node(kind: str, inputs: Sequence[str], output: str | Sequence[str], **attributes: Any) -> Any:
    """A node; its name is that of its first output."""
    outputs = [output] if isinstance(output, str) else list(output)
    return helper.make_node(kind, list(inputs), outputs, name=f"node_{outputs[0]}", **attributes)


def model(
    nodes: Sequence[Any],
    inputs: Mapping[str, Shape],
    constants: Mapping[str, Any] | None = None,
    outputs: Sequence[str] = ("y",),
    opset: int = 20,
    integers: Sequence[str] = (),
) -> onnx.ModelProto:
    """A model with float inputs (but `integers`), and outputs whose shapes are left open."""
    graph = helper.make_graph(
        list(nodes),
        "small",
        [
            helper.make_tensor_value_info(
                name, TensorProto.INT64 if name in integers else TensorProto.FLOAT, list(shape)
            )
            for name, shape in inputs.items()
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in (constants or {}).items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def floats(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def wholes(*shape: int, seed: int = 0) -> np.ndarray:
    """Small whole numbers: sums of their products are exact in float32."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)


def kinds(program: Program) -> list[str]:
    return [operation.kind for operation in program.operations]


def only(program: Program, kind: str) -> Any:
    """The one operation of a kind."""
    found: list[Operation] = [op for op in program.operations if op.kind == kind]
    assert len(found) == 1, kinds(program)
    return found[0]


def agree(
    proto: onnx.ModelProto | str,
    tolerance: float = TOLERANCE,
    batch: int = 3,
    largest: int = 3,
    whole: bool = False,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Program:
    """Lower, run both, compare every output of every sample, and give the Program."""
    program = lower(proto, input_shapes=input_shapes)
    check_program(program)
    generator = np.random.default_rng(1)
    feeds = {}
    for value in program.inputs:
        shape = [batch if size == -1 else size for size in value.layout.source]
        if value.dtype == "int64":
            feeds[value.name] = generator.integers(0, largest, shape)
        elif whole:
            feeds[value.name] = generator.integers(-4, 5, shape).astype(np.float32)
        else:
            feeds[value.name] = generator.standard_normal(shape).astype(np.float32)
    given = {}
    for value in program.inputs:
        given[value.name] = value.layout.to_program(feeds[value.name])
        assert given[value.name].shape[1:] == value.shape
    made = execute(program, given)
    expected = reference(proto, feeds, program, batch)
    for value in program.outputs:
        got = value.layout.to_source(made[value.name])
        want = expected[value.name]
        assert got.shape == want.shape
        assert np.isfinite(want).all()
        limit = tolerance * max(1e-6, float(np.abs(want).max()))
        assert float(np.abs(got - want).max()) <= limit
    return program


def reference(
    proto: onnx.ModelProto | str, feeds: Mapping[str, np.ndarray], program: Program, batch: int
) -> dict[str, np.ndarray]:
    """What onnxruntime gives; sample by sample where the graph was made for a batch of 1."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(3)
    source = proto if isinstance(proto, str) else proto.SerializeToString()
    session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    names = [value.name for value in program.outputs]
    axes = {value.name: value.layout.batch for value in program.inputs}
    fixed = any(
        axes[given.name] is not None and given.shape[axes[given.name]] == 1
        for given in session.get_inputs()
    )
    if not fixed:
        return dict(zip(names, session.run(names, dict(feeds)), strict=True))
    runs = [
        session.run(
            names,
            {
                name: tensor if axes[name] is None else np.take(tensor, [row], axis=axes[name])
                for name, tensor in feeds.items()
            },
        )
        for row in range(batch)
    ]
    return {
        value.name: np.concatenate([run[index] for run in runs], axis=value.layout.batch)
        for index, value in enumerate(program.outputs)
    }
