"""Recurrent layers as steps."""

from __future__ import annotations

from engine.backends._native.draft import Draft
from engine.program.graph import Recurrent

_CELLS = ("lstm", "gru")
_STATES = {"lstm": 2, "gru": 1}


def recurrent(operation: Recurrent, draft: Draft) -> None:
    """An LSTM or GRU over the whole sequence."""
    time, features = draft.shape(operation.inputs[0])
    hidden = operation.recurrent.shape[0]
    states = 1 + _STATES[operation.cell]
    named = [*operation.outputs, *("",) * (states - len(operation.outputs))]
    if not any(named[1:]):
        named = named[:1]
    # The kind writes all it has: what the Program leaves out needs a place as well.
    for place, name in enumerate(named):
        if not name:
            named[place] = f"{operation.name} output {place}"
            draft.temporary(named[place], (hidden,) if place else (time, hidden))
    draft.step(
        operation,
        "recurrent",
        draft.wide,
        made=named,
        integers=(
            _CELLS.index(operation.cell),
            int(operation.reverse),
            int(operation.linear_before_reset),
            time,
            features,
            hidden,
        ),
        arrays=(
            operation.weight,
            operation.recurrent,
            operation.bias,
            operation.recurrent_bias,
        ),
        reads=None,
    )
