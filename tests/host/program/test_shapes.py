"""Rules of shapes: they give what the executor makes, and refuse what does not fit."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from engine.core.errors import ArtifactError
from engine.program import graph
from engine.program.check import check_program
from engine.program.execute import execute
from engine.program.graph import Layout, Operation, Program, Value
from engine.program.planning.algorithms import FIXED
from engine.program.shapes import RULES, output_shapes
from kernels.geometry import Geometry
from tests.cases.operations import CASES, Shapes, cell
from tests.cases.small_programs import dcgan, weights

LAYERS = {graph.Convolution, graph.Linear, graph.Recurrent}


def test_every_operation_has_a_rule_and_an_algorithm() -> None:
    assert set(RULES) == set(graph.OPERATIONS.values())
    assert set(FIXED) | LAYERS == set(graph.OPERATIONS.values())


@pytest.mark.parametrize(("operation", "shapes"), CASES)
def test_rules_give_what_is_made(operation: Operation, shapes: Shapes) -> None:
    given = {name: Value(name, shape) for name, shape in zip(operation.inputs, shapes, strict=True)}
    made = output_shapes(operation, shapes)
    values = given | {
        name: Value(name, shape) for name, shape in zip(operation.outputs, made, strict=False)
    }
    outputs = tuple(values[name] for name in operation.outputs)
    program = Program("one", tuple(given.values()), outputs, (operation,), values)
    check_program(program)
    feed = {
        name: np.ones((2, *shape), np.float32) for name, shape in zip(given, shapes, strict=True)
    }
    for value in outputs:
        assert execute(program, feed)[value.name].shape == (2, *value.shape)


def ends(*inputs: str) -> dict[str, Any]:
    return {"name": "op", "inputs": inputs, "outputs": ("y",)}


GROUPED = {"geometry": Geometry.forward((6,), (3,)), "weight": weights(1, 3, 2, 6)}

MISFITS = [
    (graph.Convolution(**ends("x"), **GROUPED, groups=4), ((6, 8),), "groups=4"),
    (graph.Convolution(**ends("x"), **GROUPED), ((6, 3),), "input"),
    (graph.Convolution(**ends("x"), **GROUPED), ((5, 2),), "input"),
    (graph.Convolution(**ends("x"), **GROUPED, shift=weights(1, 5)), ((6, 2),), "shift"),
    (
        graph.Convolution(**ends("x"), **(GROUPED | {"weight": weights(1, 2, 2, 6)})),
        ((6, 2),),
        "kernel",
    ),
    (graph.Linear(**ends("x"), weight=weights(1, 4, 3)), ((3, 5),), "weight"),
    (graph.Linear(**ends("x"), weight=weights(1, 4, 3)), ((),), "weight"),
    (graph.MatMul(**ends("a", "b")), ((2, 3), (4, 5)), "inner size"),
    (graph.Add(**ends("a", "b")), ((2,), (3,)), "input"),
    (graph.Binary(**ends("a", "b"), function="add"), ((2,), (3,)), "shape"),
    (graph.Affine(**ends("x"), scale=weights(1, 2, 3)), ((3,),), "scale"),
    (graph.Concat(**ends("a", "b")), ((2, 3), (3, 3)), "input"),
    (graph.Concat(**ends("a"), axis=2), ((2, 3),), "axis 2"),
    (graph.Reshape(**ends("x"), shape=(2, 2)), ((5,),), "elements"),
    (graph.Permute(**ends("x"), axes=(0, 0)), ((2, 3),), "axes"),
    (graph.Slice(**ends("x"), begin=(0,), sizes=(4,), step=(2,)), ((6,),), "leave the size"),
    (graph.Slice(**ends("x"), begin=(0,), sizes=(2,), step=(0,)), ((6,),), "steps of 0"),
    (graph.Pad(**ends("x"), before=(-1,), after=(0,)), ((6,),), "negative"),
    (graph.Upsample(**ends("x"), scales=(2, 2)), ((6, 3),), "scales"),
    (graph.Upsample(**ends("x"), scales=(0,)), ((6, 3),), "below 1"),
    (graph.Resample(**ends("x"), matrices=(weights(1, 4, 5),)), ((6, 3),), "matrix"),
    (
        graph.InstanceNorm(**ends("x"), scale=weights(1, 4), shift=weights(1, 4), groups=3),
        ((5, 4),),
        "groups=3",
    ),
    (graph.LayerNorm(**ends("x"), scale=weights(1, 4), shift=weights(1, 3)), ((4,),), "shift"),
    (
        graph.Pool(**ends("x"), function="max", geometry=Geometry.forward((4,), (2,))),
        ((5, 1),),
        "input",
    ),
    (graph.Recurrent(**ends("x"), **cell("gru")), ((3, 4),), "weight"),
    (graph.Recurrent(**ends("x", "h"), **cell("lstm")), ((3, 5), (6,)), "none or 2 states"),
    (graph.Constant(**ends("x"), value=weights(1, 3)), ((3,),), "takes no inputs"),
    (graph.Elementwise(**ends("a", "b"), activation=graph.Activation()), ((1,), (1,)), "one input"),
]


@pytest.mark.parametrize(
    ("operation", "shapes", "match"),
    MISFITS,
    ids=[f"{operation.kind}-{number}" for number, (operation, _, _) in enumerate(MISFITS)],
)
def test_what_does_not_fit_is_refused(operation: Operation, shapes: Shapes, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        output_shapes(operation, shapes)


def test_a_program_names_the_operation_that_does_not_fit() -> None:
    program = dcgan().programs["decoder"]
    values = dict(program.values) | {"u": Value("u", (2, 2, 9))}
    wrong = dataclasses.replace(program, values=values)
    with pytest.raises(ArtifactError, match=r"convolution 'u': gives \[2, 2, 8\] .* \[2, 2, 9\]"):
        check_program(wrong)


@pytest.mark.parametrize(
    "layout",
    [Layout((-1, 3, 4), (1,)), Layout((-1, 3, 4), (1, 1)), Layout((-1, 3, 4), (1, 2))],
    ids=["too few", "twice", "another order"],
)
def test_a_layout_that_is_none(layout: Layout) -> None:
    x = Value("x", (4, 3), layout=layout)
    same = graph.Elementwise(**ends("x"), activation=graph.Activation())
    y = Value("y", (4, 3))
    with pytest.raises(ArtifactError, match="'x' of .* cannot lie"):
        check_program(Program("p", (x,), (y,), (same,), {"x": x, "y": y}))
