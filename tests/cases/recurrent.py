"""Small steps of LSTM and GRU cells against PyTorch's cells in float64."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from kernels import recurrent
from kernels.bounds import ALGORITHMS, DEFAULT_ALGORITHM, EXPONENTIAL, growth
from kernels.recurrent_packing import PackedCell, pack
from tests.cases.case import Case, Output, stored, type_name

FP32 = 2.0**-24


def make_cell(
    kind: str, features: int, hidden: int, dtype: torch.dtype
) -> tuple[PackedCell, torch.nn.LSTMCell | torch.nn.GRUCell]:
    """A packed cell, and PyTorch's in float64 with the same rounded weights."""
    torch.manual_seed(features * hidden)
    make = torch.nn.LSTMCell if kind == "lstm" else torch.nn.GRUCell
    cell = make(features, hidden, dtype=torch.float64)
    for name, weight in cell.named_parameters():
        weight.data = weight.data.to(torch.float32 if name.startswith("bias") else dtype).double()
    parameters = [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh]
    return pack(kind, *(p.detach() for p in parameters), dtype=dtype), cell


def make_case(
    kind: str,
    batch: int,
    features: int,
    hidden: int,
    dtype: torch.dtype,
    tile: recurrent.Tile | None = None,
) -> Case:
    packed, cell = make_cell(kind, features, hidden, dtype)
    random = torch.Generator().manual_seed(batch)
    x = torch.randn(batch, features, generator=random).to(dtype)
    h = torch.rand(batch, hidden, generator=random).sub(0.5).to(dtype)
    c = torch.randn(batch, hidden, generator=random)
    error = _gate_errors(cell, x.double(), h.double(), dtype)
    if kind == "lstm":
        expected_h, expected_c, h_error, c_error = _lstm(cell, x, h, c, error)
        allowed = stored(expected_c, c_error, c.dtype)
        outputs = {"c": Output.make(c.shape, c.dtype, expected_c, allowed)}
    else:
        expected_h, h_error = _gru(cell, x, h, error)
        outputs = {}
    h_out = Output.make(h.shape, dtype, expected_h, stored(expected_h, h_error, dtype))
    state = (c, outputs["c"].tensor) if kind == "lstm" else ()
    launches = recurrent.launches(packed, x, h, h_out.tensor, *state, tile=tile)
    return Case(launches, {"h": h_out, **outputs})


def _gate_errors(
    cell: torch.nn.RNNCellBase, x: torch.Tensor, h: torch.Tensor, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the products with x and with h may be off at each gate [batch, gates * hidden]."""
    name = type_name(dtype)
    rule = ALGORITHMS["tf32x3" if name == "fp32" else DEFAULT_ALGORITHM[name]]
    relative = (growth(x.shape[1] + h.shape[1]) + 3) * rule.unit + rule.product
    of_x = x.abs() @ cell.weight_ih.abs().t() + cell.bias_ih.abs()
    of_h = h.abs() @ cell.weight_hh.abs().t() + cell.bias_hh.abs()
    return (relative * of_x).detach(), (relative * of_h).detach()


def _lstm(
    cell: torch.nn.LSTMCell,
    x: torch.Tensor,
    h: torch.Tensor,
    c: torch.Tensor,
    error: tuple[torch.Tensor, torch.Tensor],
) -> tuple[torch.Tensor, ...]:
    """h, c, and what each may be off: slopes 1/4 of sigmoid and 1 of tanh, products of the rest."""
    with torch.no_grad():
        expected_h, expected_c = cell(x.double(), (h.double(), c.double()))
    i, f, g, o = (error[0] + error[1]).chunk(4, 1)
    i, f, o = (gate / 4 + EXPONENTIAL for gate in (i, f, o))
    g = g + EXPONENTIAL
    c_error = i + f * c.abs() + g + 4 * FP32 * (1 + c.abs())
    return expected_h, expected_c, o + c_error + EXPONENTIAL + 2 * FP32, c_error


def _gru(
    cell: torch.nn.GRUCell,
    x: torch.Tensor,
    h: torch.Tensor,
    error: tuple[torch.Tensor, torch.Tensor],
) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        expected = cell(x.double(), h.double())
        inner = (h.double() @ cell.weight_hh.t() + cell.bias_hh).chunk(3, 1)[2].abs()
    (x_r, x_z, x_n), (h_r, h_z, h_n) = (part.chunk(3, 1) for part in error)
    r, z = ((part / 4 + EXPONENTIAL) for part in (x_r + h_r, x_z + h_z))
    n = x_n + h_n + inner * r + EXPONENTIAL
    return expected, z * (1 + h.double().abs()) + n + 4 * FP32


_HALF, _BRAIN, _FULL = torch.float16, torch.bfloat16, torch.float32
_WIDE = recurrent.Tile(64, 32, 64, 4, 3)

CASES: dict[str, Callable[[], Case]] = {
    "lstm fp32, smallest": partial(make_case, "lstm", 1, 1, 1, _FULL),
    "lstm fp32, odd": partial(make_case, "lstm", 3, 10, 33, _FULL),
    "lstm fp16, two row tiles": partial(
        make_case, "lstm", 70, 24, 40, _HALF, recurrent.Tile(16, 8, 64, 4, 4)
    ),
    "lstm fp16, wide tile": partial(make_case, "lstm", 5, 72, 64, _HALF, _WIDE),
    "lstm bf16, aligned": partial(make_case, "lstm", 16, 64, 64, _BRAIN),
    "gru fp32, odd": partial(make_case, "gru", 3, 10, 33, _FULL),
    "gru fp16, two depths": partial(make_case, "gru", 17, 100, 70, _HALF),
    "gru bf16, wide tile": partial(make_case, "gru", 5, 64, 32, _BRAIN, _WIDE),
}
