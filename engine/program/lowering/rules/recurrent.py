"""LSTM and GRU; two directions are two operations whose outputs are joined."""

from __future__ import annotations

import numpy as np

from engine.program.graph import Concat, Constant, Recurrent
from engine.program.lowering.constants import Const, shared
from engine.program.lowering.context import Context, Tensor
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node
from engine.program.lowering.rules.region import part
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.views import View, dim_of, size_of, without_batch

_GATES = {"LSTM": 4, "GRU": 3}
_STATES = {"LSTM": 2, "GRU": 1}
_DIRECTIONS = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}


@lowers("LSTM", "GRU")
def recurrent(node: Node, context: Context) -> list[View]:
    """X [time, batch, features], or [batch, time, features] with layout 1."""
    view, layout = node.view(0), node.integer("layout", 0)
    directions = _DIRECTIONS[node.text("direction", "forward")]
    at = 0 if layout else 1
    if view.rank != 3 or view.batch_axis != at or without_batch(view.dims[at]):
        raise Refusal(f"its sequence must have the batch, alone, as axis {at}")
    _check(node, len(directions), view.shape[1 - at])
    weights, hidden_weights = node.weight(1), node.weight(2)
    hidden, gates = hidden_weights.shape[2], _GATES[node.op]
    biases = node.optional_weight(3)
    if biases is None:
        biases = np.zeros((len(directions), 2 * gates * hidden))
    time, features = view.dims[1 - at], view.dims[2]
    sequence = context.arrange(view, [time, features])
    steps = size_of(time)
    sequences, states = [], []
    for index, reverse in enumerate(directions):
        names = context.emit_many(
            Recurrent,
            [sequence, *_initial(node, context, index, layout, hidden)],
            [(steps, hidden), *[(hidden,)] * _STATES[node.op]],
            cell=node.op.lower(),
            weight=weights[index].T,
            recurrent=hidden_weights[index].T,
            bias=biases[index, : gates * hidden],
            recurrent_bias=biases[index, gates * hidden :],
            reverse=reverse,
            linear_before_reset=node.op == "LSTM" or bool(node.integer("linear_before_reset", 0)),
        )
        sequences.append(names[0])
        states.append(names[1:])
    count = len(directions)
    joined = _join(context, sequences, (steps, count * hidden))
    way, last = dim_of(count), dim_of(hidden)
    batch = (context.batch,)
    made = [
        View(
            joined,
            (*time, *way, *last),
            (batch, time, way, last) if layout else (time, way, batch, last),
        )
    ]
    for parts in zip(*states, strict=True):
        name = _join(context, list(parts), (count * hidden,))
        way, last = dim_of(count), dim_of(hidden)
        dims = (batch, way, last) if layout else (way, batch, last)
        made.append(View(name, (*way, *last), dims))
    return made


def _check(node: Node, directions: int, steps: int) -> None:
    """Only the cells as they are usually meant: the standard functions, no clipping."""
    usual = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh")}[node.op]
    given = node.node.attributes.get("activations")
    if given is not None and tuple(given.as_strings()) != usual * directions:
        raise Refusal(f"activations {list(given.as_strings())} are not supported")
    node.refuse_attributes(clip=0.0, input_forget=0)
    lengths = node.inputs[4] if node.has(4) else None
    if lengths is not None and (
        not isinstance(lengths, Const) or set(lengths.numbers()) != {steps}
    ):
        raise Refusal("sequences of different lengths (sequence_lens) are not supported")
    if node.op == "LSTM" and node.has(7) and node.weight(7).any():
        raise Refusal("peepholes are not supported")


def _initial(node: Node, context: Context, index: int, layout: int, hidden: int) -> list[str]:
    """Initial states of one direction; none where all are zero."""
    given = [node.inputs[5 + i] if node.has(5 + i) else None for i in range(_STATES[node.op])]
    if all(_zero(state, context) for state in given):
        return []
    return [_state(state, context, index, layout, hidden) for state in given]


def _zero(state: Tensor | None, context: Context) -> bool:
    if isinstance(state, View):
        source = context.draft.producer(state.value)
        return isinstance(source, Constant) and not source.value.any()
    return state is None or not state.per_sample(context.batch.size).any()


def _state(state: Tensor | None, context: Context, index: int, layout: int, hidden: int) -> str:
    if isinstance(state, View):
        way, at = (1, 0) if layout else (0, 1)
        if state.rank != 3 or state.batch_axis not in (at, None):
            raise Refusal(f"its initial state must have the batch as axis {at}")
        one = part(context, state, {way: range(index, index + 1)})
        return context.arrange(one, [2])
    numbers = np.zeros(hidden)
    if state is not None:
        numbers = shared(state.per_sample(context.batch.size), 0 if layout else 1)
        numbers = np.moveaxis(numbers, 1 if layout else 0, 0)[index].reshape(hidden)
    return context.emit(Constant, [], (hidden,), value=numbers.astype(np.float64))


def _join(context: Context, names: list[str], shape: tuple[int, ...]) -> str:
    if len(names) == 1:
        return names[0]
    return context.emit(Concat, names, shape, axis=len(shape) - 1)
