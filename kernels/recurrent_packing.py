"""Weights of an LSTM or GRU cell in the layout that `kernels.recurrent` multiplies with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.launch import LARGEST_OFFSET

# Hidden units and depth are padded with zeros to multiples of these; tiles divide them.
UNITS = 32
DEPTH = 64

# The four columns of a hidden unit, and where a cell's gates stand in its weights.
COLUMNS = {"lstm": ("i", "f", "g", "o"), "gru": ("r", "z", "nx", "nh")}
ORDERS = {
    ("lstm", "torch"): ("i", "f", "g", "o"),
    ("gru", "torch"): ("r", "z", "n"),
    ("lstm", "onnx"): ("i", "o", "f", "g"),
    ("gru", "onnx"): ("z", "r", "n"),
}
DTYPES = (torch.float16, torch.bfloat16, torch.float32)


@dataclass(frozen=True)
class PackedCell:
    """weight [x_depth + h_depth, 4 * padded hidden], bias [4 * padded hidden] fp32.

    Column 4u + j is column j of hidden unit u; rows are the padded features, then the padded
    hidden state.
    """

    kind: str
    features: int
    hidden: int
    x_depth: int
    h_depth: int
    weight: Tensor
    bias: Tensor


def pack(
    kind: str,
    weight_ih: Tensor,
    weight_hh: Tensor,
    bias_ih: Tensor | None = None,
    bias_hh: Tensor | None = None,
    *,
    dtype: torch.dtype,
    order: str = "torch",
) -> PackedCell:
    """Pack weight_ih [gates * hidden, features], weight_hh [gates * hidden, hidden], two biases.

    kind: 'lstm' or 'gru'; order: of the gates, that of 'torch' (LSTMCell, GRUCell) or 'onnx'.
    No bias means zeros. Raises ValueError for other shapes, an unknown kind, order or dtype, and
    for weights of 2^31 elements or more once padded.
    """
    if (kind, order) not in ORDERS:
        known = ", ".join(f"{a} in {b}'s order" for a, b in ORDERS)
        raise ValueError(f"cell {kind!r} in {order!r}'s order is not one of {known}")
    if dtype not in DTYPES:
        raise ValueError(f"dtype {dtype} must be float16, bfloat16 or float32")
    gates = ORDERS[kind, order]
    hidden, features = weight_hh.shape[-1], weight_ih.shape[-1]
    height = len(gates) * hidden
    expected: dict[str, tuple[int, ...]] = {
        "weight_ih": (height, features),
        "weight_hh": (height, hidden),
        "bias_ih": (height,),
        "bias_hh": (height,),
    }
    tensors = dict(zip(expected, (weight_ih, weight_hh, bias_ih, bias_hh), strict=True))
    for name, tensor in tensors.items():
        if tensor is not None and tuple(tensor.shape) != expected[name]:
            raise ValueError(f"{name} {tuple(tensor.shape)} of a {kind} must be {expected[name]}")
    if not hidden or not features:
        raise ValueError(f"features={features} and hidden={hidden} must be at least 1")

    x_depth, h_depth = _padded(features, DEPTH), _padded(hidden, DEPTH)
    units = _padded(hidden, UNITS)
    if (x_depth + h_depth) * units * 4 > LARGEST_OFFSET:
        raise ValueError(f"features={features} and hidden={hidden} are too many for 32-bit offsets")
    weight = torch.zeros(x_depth + h_depth, units, 4, dtype=torch.float32, device=weight_ih.device)
    bias = torch.zeros(units, 4, dtype=torch.float32, device=weight_ih.device)
    for place, gate in enumerate(gates):
        rows = slice(place * hidden, (place + 1) * hidden)
        x_column, h_column = _columns(kind, gate)
        weight[:features, :hidden, x_column] = weight_ih[rows].float().t()
        weight[x_depth : x_depth + hidden, :hidden, h_column] = weight_hh[rows].float().t()
        if bias_ih is not None:
            bias[:hidden, x_column] += bias_ih[rows].float()
        if bias_hh is not None:
            bias[:hidden, h_column] += bias_hh[rows].float()
    return PackedCell(
        kind=kind,
        features=features,
        hidden=hidden,
        x_depth=x_depth,
        h_depth=h_depth,
        weight=weight.reshape(x_depth + h_depth, -1).to(dtype),
        bias=bias.reshape(-1),
    )


def _columns(kind: str, gate: str) -> tuple[int, int]:
    """The columns of a gate's products with x and with h: apart only for the n of a GRU."""
    columns = COLUMNS[kind]
    if gate == "n":
        return columns.index("nx"), columns.index("nh")
    return columns.index(gate), columns.index(gate)


def _padded(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple
