"""LSTM and GRU sequences in torch; the formulas are those of `kernels.reference.recurrent`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.program.graph import Recurrent

# x @ weight + bias of one time, h, c -> the next h, c.
Cell = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]


def recurrent(
    op: Recurrent, put: Callable[[NDArray[Any]], Tensor], x: Tensor, *states: Tensor
) -> tuple[Tensor, ...]:
    """All hidden states [batch, time, hidden], then the last states [batch, hidden]."""
    cell = _lstm(op, put) if op.cell == "lstm" else gru(op, put)
    zero = x.new_zeros(len(x), op.recurrent.shape[0])
    h, c = (*states, zero, zero)[:2]
    given = x @ put(op.weight) + put(op.bias)
    times = range(x.shape[1])
    made = []
    for time in reversed(times) if op.reverse else times:
        h, c = cell(given[:, time], h, c)
        made.append(h)
    if op.reverse:
        made.reverse()
    out = torch.stack(made, 1) if made else x.new_zeros(len(x), 0, zero.shape[1])
    return (out, h, c) if op.cell == "lstm" else (out, h)


def _lstm(op: Recurrent, put: Callable[[NDArray[Any]], Tensor]) -> Cell:
    weight, bias = put(op.recurrent), put(op.recurrent_bias)

    def step(given: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, o, f, g = (given + h @ weight + bias).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.tanh(), c

    return step


def gru(op: Recurrent, put: Callable[[NDArray[Any]], Tensor]) -> Cell:
    """A GRU of either form, reset before or after the product; c is passed on."""
    size = op.recurrent.shape[0]
    weight, bias = put(op.recurrent), put(op.recurrent_bias)
    gates, new = slice(0, 2 * size), slice(2 * size, 3 * size)

    def step(given: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        both = given[:, gates] + h @ weight[:, gates] + bias[gates]
        z, r = both.sigmoid().chunk(2, -1)
        if op.linear_before_reset:
            own = r * (h @ weight[:, new] + bias[new])
        else:
            own = (r * h) @ weight[:, new] + bias[new]
        n = (given[:, new] + own).tanh()
        return (1 - z) * n + z * h, c

    return step
