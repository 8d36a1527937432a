"""Every kind of operation through the triton backend's runners, against the float64 executor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from engine.backends._triton.network import Network
from engine.program import graph
from engine.program.execute import execute
from engine.program.graph import Activation, Operation, Program, Value
from engine.program.plan import make_plan
from engine.program.planning.types import Precision
from engine.program.shapes import output_shapes
from kernels.geometry import Geometry
from tests.cases.small_programs import weights

BATCH = 2
TOLERANCE = {"fp32": 2e-6, "fp16": 8e-3}
CPU = torch.device("cpu")
Shapes = tuple[tuple[int, ...], ...]


def case(make: type[Operation], *shapes: tuple[int, ...], outputs: int = 1, **fields: Any) -> Any:
    inputs = tuple(f"x{number}" for number in range(len(shapes)))
    names = tuple(f"y{number}" for number in range(outputs))
    operation = make(name="op", inputs=inputs, outputs=names, **fields)
    label = "-".join(str(part) for part in fields.values() if isinstance(part, str))
    return pytest.param(operation, shapes, id="-".join(filter(None, (make.kind, label))))


def cell(kind: str, **fields: Any) -> dict[str, Any]:
    gates = {"lstm": 4, "gru": 3}[kind] * 6
    return {
        "cell": kind,
        "weight": weights(1, 5, gates),
        "recurrent": weights(2, 6, gates),
        "bias": weights(3, gates),
        "recurrent_bias": weights(4, gates),
        **fields,
    }


CASES = [
    case(graph.Elementwise, (3, 5), activation=Activation("clip", -0.5, np.inf)),
    case(graph.Affine, (3, 5), scale=weights(1, 5), activation=Activation("gelu")),
    case(graph.PRelu, (3, 5), slope=weights(1, 5)),
    case(graph.Add, (3, 5), (3, 5), activation=Activation("relu")),
    case(graph.Binary, (3, 1), (1, 5), function="max"),
    case(graph.MatMul, (2, 3, 5), (2, 5, 4)),
    case(graph.Softmax, (3, 7)),
    case(graph.Reduce, (3, 5, 2), function="mean", axes=(0, 1)),
    case(graph.Reduce, (3, 5, 2), function="sum", axes=(0, 2)),
    case(graph.Pool, (5, 6, 3), function="mean", geometry=Geometry.forward((5, 6), (3, 3), 2, 1)),
    case(graph.Concat, (3, 2), (3, 5)),
    case(graph.Permute, (2, 3, 4), axes=(-1, 0, 1)),
    case(graph.Slice, (6, 4), begin=(4, 1), sizes=(2, 3), step=(-2, 1)),
    case(graph.Pad, (3, 4), before=(1, 2), after=(2, 0), mode="reflect"),
    case(
        graph.Pad, (2, 1, 2, 1, 3), before=(1, 0, 0, 0, 1), after=(0, 1, 0, 0, 2), mode="constant"
    ),
    case(graph.Pad, (3, 1, 2, 1, 1), before=(2, 0, 1, 0, 0), after=(1, 0, 1, 0, 0), mode="reflect"),
    case(graph.Upsample, (2, 3, 4), scales=(2, 3)),
    case(graph.Resample, (3, 4, 2), matrices=(weights(1, 5, 3), None)),
    case(graph.Resample, (3, 4, 2), matrices=(weights(1, 5, 3), weights(2, 2, 4))),
    case(graph.InstanceNorm, (6, 4), scale=weights(1, 4), shift=weights(2, 4), groups=2),
    case(graph.LayerNorm, (3, 6), scale=weights(1, 6), shift=weights(2, 6)),
    case(graph.Linear, (3, 5), weight=weights(1, 5, 4), shift=weights(2, 4)),
    case(
        graph.Convolution,
        (6, 4),
        geometry=Geometry.forward((6,), (3,), 2, 1),
        weight=weights(1, 3, 2, 6),
        groups=2,
    ),
    case(graph.Recurrent, (3, 5), outputs=3, **cell("lstm", reverse=True)),
    case(graph.Recurrent, (3, 5), (6,), (6,), outputs=3, **cell("lstm")),
    case(graph.Recurrent, (3, 5), outputs=2, **cell("gru")),
    case(graph.Recurrent, (2, 5), (6,), outputs=2, **cell("gru", linear_before_reset=False)),
]


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
