"""Fused steps of LSTM and GRU cells: one kernel for both products, the gates and the state.

    LSTM: i, f, g, o = x @ W + h @ R + b        c' = sigmoid(f) c + sigmoid(i) tanh(g)
                                                h' = sigmoid(o) tanh(c')
    GRU:  r, z       = x @ W + h @ R + b        n  = tanh(x @ W_n + b_n + r (h @ R_n + q_n))
                                                h' = (1 - z) n + z h

x [batch, features], h [batch, hidden] in fp16, bf16 or fp32, c [batch, hidden] fp32. Rows of a tile
are samples; the four columns of a hidden unit lie side by side in the packed weights, so that one
product over [x, h] brings all gates of a unit to one program. A GRU has its fourth column because
r stands between the two products of n: their halves of W_n and R_n are zeros, a third more work.

Bytes for batch n, features f, hidden u of b bytes: (f + u)(4u b) of weights, n(f + 2u)b of x, h and
h', 8nu of c. Unfused (torch.nn.LSTMCell) the gates go through memory twice besides: 16nu b.

fp32 is multiplied in three tf32 products (error 2^-20 of a product, 3 times the work of tf32).
Not for sequences that are known beforehand (a prompt): there x @ W of all steps is one product.
A GRU whose reset gate comes before the product (ONNX linear_before_reset = 0) is not of this form.

Source: Hochreiter, Schmidhuber: Long short-term memory (1997); Cho et al.: Learning phrase
representations using RNN encoder-decoder (2014), in PyTorch's form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.arguments import aligned, check_apart, check_device, row_ranges
from kernels.jit.recurrent import step_kernel
from kernels.launch import Launch, interpreting
from kernels.recurrent_packing import PackedCell, pack


@dataclass(frozen=True, slots=True)
class Tile:
    """Samples, hidden units and depth of one program's product."""

    rows: int
    units: int
    depth: int
    warps: int
    stages: int


# The first whose rows reach the batch, else the last. Units divide `recurrent_packing.UNITS`.
TILES: dict[torch.dtype, tuple[Tile, ...]] = {
    torch.float16: (Tile(16, 8, 64, 4, 4), Tile(64, 32, 64, 4, 3), Tile(128, 32, 64, 8, 3)),
    torch.bfloat16: (Tile(16, 8, 64, 4, 4), Tile(64, 32, 64, 4, 3), Tile(128, 32, 64, 8, 3)),
    torch.float32: (Tile(16, 8, 32, 4, 3), Tile(64, 16, 32, 4, 3)),
}


def choose_tile(dtype: torch.dtype, batch: int) -> Tile:
    """The tile for a batch: small ones spread the weights over more programs."""
    tiles = TILES[dtype]
    return next((tile for tile in tiles if batch <= tile.rows), tiles[-1])


def launches(
    cell: PackedCell,
    x: Tensor,
    h: Tensor,
    h_out: Tensor,
    c: Tensor | None = None,
    c_out: Tensor | None = None,
    tile: Tile | None = None,
) -> tuple[Launch, ...]:
    """Launches of one step for checked tensors; c and c_out for an LSTM only."""
    batch = len(x)
    tile = tile or choose_tile(cell.weight.dtype, batch)
    unit_tiles = -(-cell.hidden // tile.units)
    states = {"x_ptr": x, "h_ptr": h, "state_ptr": h if c is None else c, "h_out_ptr": h_out}
    if c_out is not None:
        states["c_out_ptr"] = c_out
    return tuple(
        Launch(
            name=f"{cell.kind}_step",
            kernel=step_kernel,
            grid=(-(-(last - first) // tile.rows) * unit_tiles, 1, 1),
            arguments={
                **{name: tensor[first:last] for name, tensor in states.items()},
                "weight_ptr": cell.weight,
                "bias_ptr": cell.bias,
                "batch": last - first,
            },
            constants={
                **({"c_out_ptr": None} if c_out is None else {}),
                "CELL": cell.kind,
                "FEATURES": cell.features,
                "HIDDEN": cell.hidden,
                "X_DEPTH": cell.x_depth,
                "H_DEPTH": cell.h_depth,
                "WIDTH": cell.weight.shape[1],
                "ROWS": tile.rows,
                "UNITS": tile.units,
                "DEPTH": tile.depth,
                "PRECISION": "tf32x3" if cell.weight.dtype == torch.float32 else "ieee",
                "UPCAST": interpreting() and cell.weight.dtype == torch.bfloat16,
            },
            num_warps=tile.warps,
            num_stages=tile.stages,
        )
        for first, last in row_ranges(batch, cell.features, cell.hidden)
    )


def lstm_step(
    cell: PackedCell,
    x: Tensor,
    h: Tensor,
    c: Tensor,
    h_out: Tensor | None = None,
    c_out: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The next h [batch, hidden], of x's type, and c [batch, hidden] fp32.

    c_out may be c. Inputs that are not contiguous are copied; outputs that are not are refused, and
    so are those that share memory with x, h or each other, which other programs still read. Raises
    ValueError for these, and for other shapes, dtypes or devices.
    """
    if cell.kind != "lstm":
        raise ValueError(f"the packed cell is a {cell.kind}")
    h_out = torch.empty_like(h, memory_format=torch.contiguous_format) if h_out is None else h_out
    c_out = torch.empty_like(c, memory_format=torch.contiguous_format) if c_out is None else c_out
    _check(cell, x, [("h", h), ("h_out", h_out)], [("c", c), ("c_out", c_out)])
    x, h, c = aligned(x), aligned(h), aligned(c)
    check_apart("h_out", h_out, x, h, c, c_out)
    # An element of c is read by the one program that writes it, so all of c may be c_out.
    check_apart("c_out", c_out, x, h, *(() if c.data_ptr() == c_out.data_ptr() else (c,)))
    for launch in launches(cell, x, h, h_out, c, c_out):
        launch.run()
    return h_out, c_out


def gru_step(cell: PackedCell, x: Tensor, h: Tensor, h_out: Tensor | None = None) -> Tensor:
    """The next h [batch, hidden], of x's type. Inputs and errors as `lstm_step`."""
    if cell.kind != "gru":
        raise ValueError(f"the packed cell is a {cell.kind}")
    h_out = torch.empty_like(h, memory_format=torch.contiguous_format) if h_out is None else h_out
    _check(cell, x, [("h", h), ("h_out", h_out)], [])
    x, h = aligned(x), aligned(h)
    check_apart("h_out", h_out, x, h)
    for launch in launches(cell, x, h, h_out):
        launch.run()
    return h_out


def named_launches() -> dict[str, Launch]:
    """Launches at realistic sizes on meta tensors: what the gates compile and the report shows."""
    cases = {}
    for kind, batch, features, hidden, dtype in (
        ("lstm", 1024, 256, 512, torch.float16),
        ("lstm", 64, 256, 512, torch.bfloat16),
        ("lstm", 8, 256, 512, torch.float16),
        ("lstm", 256, 128, 256, torch.float32),
        ("gru", 1024, 256, 512, torch.float16),
        ("gru", 8, 256, 512, torch.bfloat16),
    ):
        gates = 4 if kind == "lstm" else 3
        cell = pack(
            kind,
            torch.empty(gates * hidden, features, device="meta"),
            torch.empty(gates * hidden, hidden, device="meta"),
            dtype=dtype,
        )
        x = torch.empty(batch, features, dtype=dtype, device="meta")
        h, h_out = (torch.empty(batch, hidden, dtype=dtype, device="meta") for _ in range(2))
        c = torch.empty(batch, hidden, device="meta") if kind == "lstm" else None
        name = f"{kind} step, {features} to {hidden}, batch {batch}, {str(dtype)[6:]}"
        (cases[name],) = launches(cell, x, h, h_out, c, c)
    return cases


def _check(
    cell: PackedCell,
    x: Tensor,
    hidden: Sequence[tuple[str, Tensor]],
    carry: Sequence[tuple[str, Tensor]],
) -> None:
    dtype = cell.weight.dtype
    expected = [("x", x, cell.features, dtype)]
    expected += [(name, tensor, cell.hidden, dtype) for name, tensor in hidden]
    expected += [(name, tensor, cell.hidden, torch.float32) for name, tensor in carry]
    for name, tensor, width, kind in expected:
        if tensor.shape != (len(x), width) or tensor.dtype != kind:
            raise ValueError(
                f"{name} is {tuple(tensor.shape)} {tensor.dtype}; it must be "
                f"{(len(x), width)} {kind}"
            )
        if name.endswith("_out") and aligned(tensor) is not tensor:
            raise ValueError(f"{name} must be contiguous, at an address that is a multiple of 16")
    check_device(cell.weight, *(tensor for _, tensor, _, _ in expected))
