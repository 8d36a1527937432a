"""The plan of a Program on a CPU: steps and their places, micro-batch and order, from shapes alone.

Nothing is computed here; `engine.backends._native.build` makes the network of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.backends._native import layers, mixing, moves, pointwise, recurrent
from engine.backends._native.arguments import Input, Output
from engine.backends._native.bands import chain_start, rows_of, schedule
from engine.backends._native.choices import Choices
from engine.backends._native.draft import Draft, refusal
from engine.backends._native.placing import Places
from engine.backends._native.steps import Step
from engine.core.errors import UnsupportedError
from engine.program import graph
from engine.program.graph import Operation, Program
from kernels.native.network import ACTIVATIONS, Item, Space, Value


@dataclass(frozen=True, slots=True)
class PlacedStep:
    """A step as the network takes it."""

    step: Step
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    integers: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """What a network is made of. `inputs` and `outputs` are its arguments, in order.

    items: the order of work; empty where all steps run whole, one after the other.
    banded: how many steps, the last ones, run in bands of rows.
    """

    choices: Choices
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    steps: tuple[PlacedStep, ...]
    items: tuple[Item, ...]
    arena_bytes: int
    banded: int


def make_plan(
    program: Program,
    choices: Choices,
    inputs: tuple[Input, ...],
    outputs: tuple[Output, ...],
    value_range: tuple[float, float] = (0.0, 1.0),
) -> Plan:
    """Plan a Program. Raises UnsupportedError naming the operation that has no kind."""
    draft = Draft(
        program,
        few=choices.few,
        bf16=choices.bf16,
        value_range=value_range,
        algorithms=choices.algorithms,
    )
    for number, source in enumerate(inputs):
        draft.bind(source.value.name, source.form, Space.INPUT, number)
    targets = [
        draft.bind(target.value.name, target.form, Space.OUTPUT, number)
        for number, target in enumerate(outputs)
    ]
    for target, tensor in zip(outputs, targets, strict=True):
        draft.ends.update(dict.fromkeys(_moved_into(target.value.name, program), tensor))
    for operation in _needed(program, outputs):
        _lower(operation, draft)
    for target, tensor in zip(outputs, targets, strict=True):
        draft.finish(target.value.name, tensor)
    return _placed(draft, choices, inputs, outputs)


def _lower(operation: Operation, draft: Draft) -> None:
    end = getattr(operation, "activation", None)
    if end is not None and end.kind not in ACTIVATIONS and type(operation) is not graph.Elementwise:
        # Kinds end in the common activations; any other is a step of its own.
        (made,) = operation.outputs
        before = f"{made} before {end.kind}"
        draft.temporary(before, draft.shape(made))
        changes: dict[str, Any] = {"activation": graph.Activation(), "outputs": (before,)}
        _lower(replace(operation, **changes), draft)
        operation = graph.Elementwise(
            name=operation.name, inputs=(before,), outputs=(made,), activation=end
        )
    maker = _MAKERS.get(type(operation))
    if maker is None:
        raise refusal(operation, "there is no such kind")
    try:
        maker(operation, draft)
    except UnsupportedError as error:
        raise refusal(operation, str(error)) from error


def _placed(
    draft: Draft, choices: Choices, inputs: tuple[Input, ...], outputs: tuple[Output, ...]
) -> Plan:
    steps, capacity, cache = draft.steps, choices.capacity, choices.cache_bytes
    # A team meets after every item: bands would cost more than they save.
    bands = choices.bands and not choices.few
    start = chain_start(steps, capacity, cache) if bands else len(steps)
    places = Places(steps, draft.buffers, start, capacity)
    placed = tuple(
        PlacedStep(
            step,
            tuple(places.value(tensor) for tensor in step.inputs),
            tuple(places.value(tensor) for tensor in step.outputs),
            (*((rows_of(step, number >= start),) if step.rows_first else ()), *step.integers),
        )
        for number, step in enumerate(steps)
    )
    items = schedule(steps, start, capacity, cache)
    return Plan(choices, inputs, outputs, placed, items, places.arena_bytes, len(steps) - start)


def _needed(program: Program, outputs: tuple[Output, ...]) -> list[Operation]:
    """The operations that the outputs depend on, in order."""
    wanted = {target.value.name for target in outputs}
    kept: list[Operation] = []
    for operation in reversed(program.operations):
        if wanted & set(operation.outputs):
            kept.append(operation)
            wanted.update(operation.inputs)
    return kept[::-1]


def _moved_into(name: str, program: Program) -> list[str]:
    """An output, and the values before it that are only reshaped into it."""
    made_by = {made: op for op in program.operations for made in op.outputs if made}
    readers = Counter(read for op in program.operations for read in op.inputs if read)
    kept = {value.name for value in program.outputs}
    chain: list[str] = []
    while readers[name] == len(chain[:1]) and (not chain or name not in kept):
        chain.append(name)
        operation = made_by.get(name)
        if not isinstance(operation, graph.Reshape):
            break
        (name,) = operation.inputs
    return chain


_MAKERS: Mapping[type[Operation], Callable[[Any, Draft], None]] = {
    graph.Convolution: layers.convolution,
    graph.Linear: layers.linear,
    graph.Elementwise: pointwise.elementwise,
    graph.Affine: pointwise.affine,
    graph.PRelu: pointwise.prelu,
    graph.Add: pointwise.add,
    graph.Binary: pointwise.binary,
    graph.MatMul: mixing.matmul,
    graph.Softmax: mixing.softmax,
    graph.Reduce: mixing.reduce,
    graph.Pool: mixing.pool,
    graph.Constant: moves.constant,
    graph.Concat: moves.concat,
    graph.Reshape: moves.reshape,
    graph.Permute: moves.permute,
    graph.Slice: moves.take,
    graph.Pad: moves.pad,
    graph.Upsample: moves.upsample,
    graph.Resample: mixing.resample,
    graph.InstanceNorm: mixing.instance_norm,
    graph.LayerNorm: mixing.layer_norm,
    graph.Embedding: moves.embedding,
    graph.Recurrent: recurrent.recurrent,
}
