"""LSTM and GRU cells and sequences, with ONNX's order of gates (operators LSTM-14, GRU-14).

With p = x @ weight + bias and q = h @ recurrent + recurrent_bias, cut into gates:

    LSTM (i, o, f, c):  c' = sigmoid(f) * c + sigmoid(i) * tanh(c gate), h' = sigmoid(o) * tanh(c')
                        where each gate is its p + q
    GRU (z, r, h):      h' = (1 - z) * n + z * h,  z = sigmoid(p_z + q_z), r = sigmoid(p_r + q_r)
        linear_before_reset (PyTorch):  n = tanh(p_h + r * q_h)
        otherwise (Cho et al. 2014):    n = tanh(p_h + (r * h) @ recurrent_h + recurrent_bias_h)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernels.reference.activation import sigmoid

Doubles = NDArray[np.float64]
Cell = Literal["lstm", "gru"]
GATES: dict[str, int] = {"lstm": 4, "gru": 3}


@dataclass(frozen=True, slots=True)
class Weights:
    """weight [features, gates * hidden], recurrent [hidden, gates * hidden], two biases [same].

    Converted to float64. ValueError for other shapes or another cell.
    """

    cell: Cell
    weight: NDArray[Any]
    recurrent: NDArray[Any]
    bias: NDArray[Any]
    recurrent_bias: NDArray[Any]

    def __post_init__(self) -> None:
        for name in ("weight", "recurrent", "bias", "recurrent_bias"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.float64))
        if self.cell not in GATES:
            raise ValueError(f"cell {self.cell!r} is not one of {', '.join(GATES)}")
        hidden = self.recurrent.shape[0]
        width = (GATES[self.cell] * hidden,)
        if self.recurrent.shape != (hidden, *width) or self.weight.shape[1:] != width:
            raise ValueError(
                f"weight {self.weight.shape} and recurrent {self.recurrent.shape} of a "
                f"{self.cell} must be [features, {GATES[self.cell]} * hidden] and "
                f"[hidden, {GATES[self.cell]} * hidden]"
            )
        if self.bias.shape != width or self.recurrent_bias.shape != width:
            raise ValueError(
                f"bias {self.bias.shape} and recurrent_bias {self.recurrent_bias.shape} must be "
                f"{width}"
            )

    @property
    def hidden(self) -> int:
        """Size of the state."""
        return int(self.recurrent.shape[0])


def lstm_step(
    x: ArrayLike, h: ArrayLike, c: ArrayLike, weights: Weights
) -> tuple[Doubles, Doubles]:
    """One step: x [batch, features], h and c [batch, hidden] -> the next h and c."""
    x, h, c = (np.asarray(value, np.float64) for value in (x, h, c))
    gates = x @ weights.weight + weights.bias + h @ weights.recurrent + weights.recurrent_bias
    i, o, f, g = np.split(gates, 4, axis=-1)
    following: Doubles = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(following), following


def gru_step(
    x: ArrayLike, h: ArrayLike, weights: Weights, linear_before_reset: bool = True
) -> Doubles:
    """One step: x [batch, features], h [batch, hidden] -> the next h."""
    x, h = np.asarray(x, np.float64), np.asarray(h, np.float64)
    hidden = weights.hidden
    p_z, p_r, p_h = np.split(x @ weights.weight + weights.bias, 3, axis=-1)
    q_z, q_r, q_h = np.split(h @ weights.recurrent + weights.recurrent_bias, 3, axis=-1)
    z, r = sigmoid(p_z + q_z), sigmoid(p_r + q_r)
    if linear_before_reset:
        n = np.tanh(p_h + r * q_h)
    else:
        reset = (r * h) @ weights.recurrent[:, 2 * hidden :]
        n = np.tanh(p_h + reset + weights.recurrent_bias[2 * hidden :])
    out: Doubles = (1.0 - z) * n + z * h
    return out


def sequence(
    x: ArrayLike,
    weights: Weights,
    h: ArrayLike | None = None,
    c: ArrayLike | None = None,
    *,
    reverse: bool = False,
    linear_before_reset: bool = True,
) -> tuple[Doubles, Doubles, Doubles | None]:
    """All steps of x [batch, time, features]: hidden states [batch, time, hidden], last h, last c.

    h and c [batch, hidden] are the first states, zeros if None; the last c of a GRU is None.
    `reverse` runs from the last step to the first, each state at the step that made it.
    ValueError if the shapes do not fit.
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 3 or x.shape[2] != weights.weight.shape[0]:
        raise ValueError(f"x {x.shape} must be [batch, time, {weights.weight.shape[0]}]")
    batch, time, _ = x.shape
    h, c = _state("h", h, batch, weights), _state("c", c, batch, weights)
    out = np.empty((batch, time, weights.hidden))
    for step in reversed(range(time)) if reverse else range(time):
        if weights.cell == "lstm":
            h, c = lstm_step(x[:, step], h, c, weights)
        else:
            h = gru_step(x[:, step], h, weights, linear_before_reset)
        out[:, step] = h
    return out, h, c if weights.cell == "lstm" else None


def _state(name: str, value: ArrayLike | None, batch: int, weights: Weights) -> Doubles:
    shape = (batch, weights.hidden)
    state = np.zeros(shape) if value is None else np.asarray(value, np.float64)
    if state.shape != shape:
        raise ValueError(f"{name} {state.shape} must be {shape} [batch, hidden]")
    return state
