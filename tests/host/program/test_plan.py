"""Plans: no two values that are both needed share a byte, and what is said about them holds."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import OptionError
from engine.program import graph
from engine.program.graph import Activation, Operation, Program, Reshape, Value
from engine.program.plan import Plan, describe, make_plan, parse_target
from engine.program.planning.algorithms import Algorithm
from engine.program.planning.types import ELEMENT_BYTES, Precision
from engine.program.shapes import output_shapes
from kernels.conv_transpose.problem import Problem
from tests.cases.small_programs import GENERATORS, dcgan, mlp


def by_hand(problem: Problem, rows: int, architecture: int) -> Algorithm:
    return Algorithm("direct", "16x16x16", f"{rows} rows on sm{architecture}")


def check(plan: Plan) -> None:
    """Walk through the steps with a memory in which every byte knows the values it holds."""
    program, arena = plan.program, plan.arena
    place = {name: buffer for buffer in arena.buffers for name in buffer.values}
    size = {
        name: math.prod(value.shape) * ELEMENT_BYTES[plan.types[name]]
        for name, value in program.values.items()
    }
    valid: set[str] = set()

    def write(name: str, source: str = "") -> None:
        mine = range(place[name].offset, place[name].offset + size[name])
        for other in tuple(valid):
            start = place[other].offset
            apart = start >= mine.stop or start + size[other] <= mine.start
            if not apart and not source:
                valid.discard(other)
        valid.add(name)

    for name, buffer in place.items():
        assert buffer.offset % 64 == 0
        assert size[name] <= buffer.size
        assert buffer.offset + buffer.size <= arena.size
    for value in program.inputs:
        write(value.name)
    for step in plan.steps:
        operation = step.operation
        for name in filter(None, operation.inputs):
            assert name in valid, f"{operation.name} reads {name} after it was overwritten"
        outputs = [name for name in operation.outputs if name]
        is_view = isinstance(operation, Reshape) and (
            place[operation.inputs[0]] == place[outputs[0]]
        )
        for name in outputs:
            write(name, operation.inputs[0] if is_view else "")
    for value in program.outputs:
        assert value.name in valid, f"the output {value.name} was overwritten"
    for value in program.inputs:
        assert value.name in valid, f"the input {value.name} was overwritten"
    assert arena.lower_bound <= arena.size


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Programs of up to 14 operations over values of a few sizes, read in any order."""
    sizes = st.sampled_from([(4,), (2, 2), (8,), (33,), (2, 3, 4), (40, 5)])
    inputs = tuple(Value(f"i{k}", draw(sizes)) for k in range(draw(st.integers(1, 2))))
    values = {value.name: value for value in inputs}
    operations: list[Operation] = []
    for number in range(draw(st.integers(1, 14))):
        name, source = f"v{number}", draw(st.sampled_from(sorted(values)))
        shape = values[source].shape
        same = [other for other in sorted(values) if values[other].shape == shape]
        ends = {"name": name, "outputs": (name,)}
        kind = draw(st.integers(0, 4))
        operation: Operation
        if kind == 0:
            operation = graph.Elementwise(**ends, inputs=(source,), activation=Activation("relu"))
        elif kind == 1:
            other = draw(st.sampled_from(same))
            operation = graph.Add(**ends, inputs=(source, other))
        elif kind == 2:
            operation = graph.Concat(**ends, inputs=(source, draw(st.sampled_from(same))))
        elif kind == 3:
            operation = Reshape(**ends, inputs=(source,), shape=(math.prod(shape),))
        else:
            weight = np.zeros((shape[-1], draw(st.integers(1, 50))), np.float32)
            operation = graph.Linear(**ends, inputs=(source,), weight=weight)
        (made,) = output_shapes(operation, tuple(values[item].shape for item in operation.inputs))
        values[name] = Value(name, made)
        operations.append(operation)
    last = values[operations[-1].name]
    further = draw(st.lists(st.sampled_from(sorted(values)), max_size=2))
    outputs = tuple({name: values[name] for name in (last.name, *further)}.values())
    return Program("random", inputs, outputs, tuple(operations), values)


@settings(max_examples=150, deadline=None)
@given(programs(), st.sampled_from(["fp16", "fp32"]))
def test_nothing_that_is_needed_is_overwritten(program: Program, operand: str) -> None:
    plan = make_plan(program, precision=Precision(operand), chooser=by_hand)
    check(plan)
    assert sorted(step.operation.name for step in plan.steps) == sorted(
        operation.name for operation in program.operations
    )


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("images", [None, "images"])
def test_generators(name: str, images: str | None) -> None:
    for program in GENERATORS[name]().programs.values():
        plan = make_plan(program, precision=Precision("fp16", images), chooser=by_hand)
        check(plan)
        apart = sum(buffer.size for buffer in plan.arena.buffers)
        assert plan.arena.size <= apart
        assert plan.arena.size < apart or len(plan.arena.buffers) <= 3


def chain(*kinds: str) -> Program:
    values, operations, before = {"x": Value("x", (64,))}, [], "x"
    for number, kind in enumerate(kinds):
        name = f"{kind}{number}"
        operations.append(
            graph.Elementwise(
                name=name, inputs=(before,), outputs=(name,), activation=Activation(kind)
            )
        )
        values[name], before = Value(name, (64,)), name
    return Program("chain", (values["x"],), (values[before],), tuple(operations), values)


def test_elementwise_chains_run_in_place() -> None:
    plan = make_plan(chain("exp", "neg", "sin"), precision=Precision("fp32"), chooser=by_hand)
    assert [step.in_place for step in plan.steps] == [False, True, True]
    # The input keeps its own bytes: it belongs to the caller.
    assert plan.arena.size == 2 * 64 * 4


def test_the_order_that_needs_less_is_taken() -> None:
    """Two branches widen and narrow again; one after the other needs one wide value at a time."""
    wide = np.zeros((4, 400), np.float32)
    narrow = np.zeros((400, 4), np.float32)
    linear: Callable[..., Operation] = graph.Linear
    operations = (
        linear(name="w1", inputs=("x",), outputs=("w1",), weight=wide),
        linear(name="w2", inputs=("x",), outputs=("w2",), weight=wide),
        linear(name="n1", inputs=("w1",), outputs=("n1",), weight=narrow),
        linear(name="n2", inputs=("w2",), outputs=("n2",), weight=narrow),
        graph.Add(name="y", inputs=("n1", "n2"), outputs=("y",)),
    )
    sizes = {"x": 4, "w1": 400, "w2": 400, "n1": 4, "n2": 4, "y": 4}
    values = {name: Value(name, (size,)) for name, size in sizes.items()}
    program = Program("two", (values["x"],), (values["y"],), operations, values)
    plan = make_plan(program, chooser=by_hand)
    assert [step.operation.name for step in plan.steps] == ["w1", "n1", "w2", "n2", "y"]
    assert "reordered" in plan.reasons[0]
    check(plan)


@pytest.mark.parametrize(
    ("memory", "batch", "reason"),
    [
        (None, 1024, "as asked for"),
        (1 << 40, 1024, "would fit"),
        (100_000, 256, "largest power of two"),
    ],
    ids=["no budget", "plenty", "little"],
)
def test_the_batch_follows_the_budget(memory: int | None, batch: int, reason: str) -> None:
    program = dcgan().programs["decoder"]
    plan = make_plan(program, batch=1024, memory_bytes=memory, chooser=by_hand)
    assert plan.batch == batch
    assert reason in plan.reasons[1]
    if memory is not None:
        assert plan.weight_bytes + plan.batch * plan.arena.size <= memory


def test_a_budget_below_one_sample_is_refused() -> None:
    with pytest.raises(OptionError, match="one sample takes .* more than the budget of 1 kB"):
        make_plan(dcgan().programs["decoder"], memory_bytes=1000, chooser=by_hand)


def test_types_follow_the_output() -> None:
    program = mlp().programs["decoder"]
    floats = make_plan(program, chooser=by_hand).types
    assert floats == {"z": "fp16", "h": "fp16", "o": "fp32", "images": "fp32"}
    images = make_plan(program, precision=Precision("bf16", "images"), chooser=by_hand).types
    assert images == {"z": "bf16", "h": "bf16", "o": "uint8", "images": "uint8"}
    encoder = GENERATORS["vae"]().programs["encoder"]
    types = make_plan(encoder, chooser=by_hand).types
    assert types["labels"] == "int64"
    assert types["images"] == "fp16"
    assert types["mean"] == types["logvar"] == "fp32"


def test_the_description_names_every_choice() -> None:
    plan = make_plan(dcgan().programs["decoder"], batch=64, architecture=80, chooser=by_hand)
    text = describe(plan)
    assert text.splitlines()[0] == "plan of decoder for sm80, fp16, batches of 64"
    assert "convolution u -> u [2, 2, 8] fp16: direct 16x16x16 (64 rows on sm80)" in text
    assert "reshape map -> m [1, 1, 8] fp16: view (the same bytes in another shape)" in text
    for name in plan.program.values:
        assert f": {name}" in text or f", {name}" in text


def test_targets() -> None:
    assert (parse_target("sm90"), parse_target("sm_100a")) == (90, 100)
    with pytest.raises(OptionError, match="target 'gpu' is none"):
        parse_target("gpu")
