"""Every kind of operation through the triton backend's runners, against the float64 executor."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.backends._triton.network import Network
from engine.program import graph
from engine.program.execute import execute
from engine.program.graph import Operation, Program, Value
from engine.program.plan import make_plan
from engine.program.planning.types import Precision
from engine.program.shapes import output_shapes
from tests.cases.operations import CASES, Shapes
from tests.cases.small_programs import weights

BATCH = 2
TOLERANCE = {"fp32": 2e-6, "fp16": 8e-3}
CPU = torch.device("cpu")


def network(operation: Operation, shapes: Shapes, precision: str) -> Network:
    inputs = tuple(Value(name, shape) for name, shape in zip(operation.inputs, shapes, strict=True))
    made = zip(operation.outputs, output_shapes(operation, shapes), strict=False)
    outputs = tuple(Value(name, shape) for name, shape in made)
    values = {value.name: value for value in (*inputs, *outputs)}
    program = Program("one", inputs, outputs, (operation,), values)
    plan = make_plan(program, precision=Precision(precision), architecture=80, batch=BATCH)
    return Network(plan, BATCH, CPU)


@pytest.mark.parametrize(("operation", "shapes"), CASES)
def test_operations(operation: Operation, shapes: Shapes) -> None:
    precision = "fp16" if operation.kind in ("affine", "concat", "recurrent") else "fp32"
    ready = network(operation, shapes, precision)
    rng = np.random.default_rng(7)
    feed = {
        name: rng.standard_normal((BATCH, *shape)).astype(np.float16).astype(np.float32)
        for name, shape in zip(operation.inputs, shapes, strict=True)
    }
    for tensor in ready.outputs.values():
        tensor.fill_(float("nan"))
    for name, array in feed.items():
        ready.inputs[name].copy_(torch.from_numpy(array))
    ready.launch()
    wanted = execute(ready.plan.program, feed)
    for name, values in wanted.items():
        error = np.abs(ready.outputs[name].double().numpy() - values).max()
        assert error <= TOLERANCE[precision] * max(1.0, np.abs(values).max()), name


def test_constants_and_labels() -> None:
    constant = graph.Constant(name="c", inputs=(), outputs=("c",), value=weights(1, 3))
    look = graph.Embedding(name="e", inputs=("l",), outputs=("e",), table=weights(2, 4, 3))
    add = graph.Add(name="a", inputs=("c", "e"), outputs=("y",))
    values = {name: Value(name, (3,)) for name in ("c", "e", "y")}
    values["l"] = Value("l", (), "int64")
    program = Program("two", (values["l"],), (values["y"],), (constant, look, add), values)
    ready = Network(make_plan(program, precision=Precision("fp32"), batch=BATCH), BATCH, CPU)
    ready.inputs["l"].copy_(torch.tensor([3, 1]))
    for _ in range(2):
        ready.launch()
        made = ready.outputs["y"].numpy()
        np.testing.assert_allclose(made, look.table[[3, 1]] + constant.value, rtol=1e-6)


def test_what_kernels_refuse_runs_through_torch_and_is_told() -> None:
    apart = graph.Reduce(name="r", inputs=("x",), outputs=("y",), function="sum", axes=(0, 2))
    ready = network(apart, ((3, 5, 2),), "fp32")
    ready.inputs["x"].fill_(1.0)
    ready.launch()
    ready.launch()
    (note,) = ready.notes
    assert note.startswith("reduce 'r' runs through torch: ")
    assert "neighbours" in note
    assert (ready.outputs["y"] == 6).all()
