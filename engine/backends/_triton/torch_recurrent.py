"""LSTM and GRU sequences in torch, gate order of ONNX."""

from __future__ import annotations

import torch
from torch import Tensor

from engine.backends._triton.context import Context
from engine.program.graph import Recurrent


def recurrent(
    operation: Recurrent,
    context: Context,
    x: Tensor,
    hidden: Tensor | None = None,
    cell: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """All hidden states [batch, time, hidden], then the last states."""
    given = x @ context.put(operation.weight) + context.put(operation.bias)
    states: list[Tensor] = []
    zeros = x.new_zeros(len(x), operation.recurrent.shape[0])
    hidden, cell = zeros if hidden is None else hidden, zeros if cell is None else cell
    times = range(x.shape[1])
    for time in reversed(times) if operation.reverse else times:
        if operation.cell == "lstm":
            hidden, cell = _lstm(operation, context, given[:, time], hidden, cell)
        else:
            hidden = _gru(operation, context, given[:, time], hidden)
        states.append(hidden)
    if operation.reverse:
        states.reverse()
    last = (hidden, cell) if operation.cell == "lstm" else (hidden,)
    return torch.stack(states, 1), *last


def _lstm(
    operation: Recurrent, context: Context, given: Tensor, hidden: Tensor, cell: Tensor
) -> tuple[Tensor, Tensor]:
    bias = context.put(operation.recurrent_bias)
    gates = given + hidden @ context.put(operation.recurrent) + bias
    i, o, f, c = gates.chunk(4, -1)
    cell = f.sigmoid() * cell + i.sigmoid() * c.tanh()
    return o.sigmoid() * cell.tanh(), cell


def _gru(operation: Recurrent, context: Context, given: Tensor, hidden: Tensor) -> Tensor:
    weight, bias = context.put(operation.recurrent), context.put(operation.recurrent_bias)
    size = hidden.shape[-1]
    gates = given[:, : 2 * size] + hidden @ weight[:, : 2 * size] + bias[: 2 * size]
    z, r = gates.sigmoid().chunk(2, -1)
    if operation.linear_before_reset:
        own = r * (hidden @ weight[:, 2 * size :] + bias[2 * size :])
    else:
        own = (r * hidden) @ weight[:, 2 * size :] + bias[2 * size :]
    new = (given[:, 2 * size :] + own).tanh()
    return (1 - z) * new + z * hidden
