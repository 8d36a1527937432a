"""One step of an LSTM or GRU: gates, nonlinearities and state in one kernel.

`kernels.recurrent` has the formulas, the packing and the launcher.
"""

from __future__ import annotations

import triton
import triton.language as tl

from kernels.jit.epilogue import activate


@triton.jit(do_not_specialize=["batch"])
def step_kernel(
    x_ptr,
    h_ptr,
    state_ptr,
    weight_ptr,
    bias_ptr,
    h_out_ptr,
    c_out_ptr,
    batch,
    CELL: tl.constexpr,
    FEATURES: tl.constexpr,
    HIDDEN: tl.constexpr,
    X_DEPTH: tl.constexpr,
    H_DEPTH: tl.constexpr,
    WIDTH: tl.constexpr,
    ROWS: tl.constexpr,
    UNITS: tl.constexpr,
    DEPTH: tl.constexpr,
    PRECISION: tl.constexpr,
    UPCAST: tl.constexpr,
):
    """ROWS samples and UNITS hidden units, whose four columns of the product lie side by side.

    state_ptr is what the update goes on from: c of an LSTM, h itself of a GRU.
    """
    UNIT_TILES: tl.constexpr = (HIDDEN + UNITS - 1) // UNITS
    pid = tl.program_id(0)
    offs_n = pid // UNIT_TILES * ROWS + tl.arange(0, ROWS)
    offs_u = pid % UNIT_TILES * UNITS + tl.arange(0, UNITS)
    offs_g = pid % UNIT_TILES * UNITS * 4 + tl.arange(0, UNITS * 4)
    offs_k = tl.arange(0, DEPTH)
    mask_n = offs_n < batch
    # A tensor also in the interpreter, where loop variables are Python's integers.
    zero = pid * 0
    acc = tl.zeros([ROWS, UNITS * 4], tl.float32)
    for step in range(0, X_DEPTH + H_DEPTH, DEPTH):
        from_x = zero + step < X_DEPTH
        base = tl.where(from_x, x_ptr, h_ptr)
        width = tl.where(from_x, FEATURES, HIDDEN)
        place = tl.where(from_x, step, step - X_DEPTH) + offs_k
        mask = mask_n[:, None] & (place[None, :] < width)
        a = tl.load(base + offs_n[:, None] * width + place[None, :], mask=mask, other=0.0)
        b = tl.load(weight_ptr + (step + offs_k)[:, None] * WIDTH + offs_g[None, :])
        if UPCAST:
            a, b = a.to(tl.float32), b.to(tl.float32)
        acc = tl.dot(a, b, acc, input_precision=PRECISION)
    acc += tl.load(bias_ptr + offs_g)[None, :]
    even, odd = tl.split(tl.reshape(acc, [ROWS, UNITS, 2, 2]))
    g0, g2 = tl.split(even)
    g1, g3 = tl.split(odd)
    state = offs_n[:, None] * HIDDEN + offs_u[None, :]
    mask_s = mask_n[:, None] & (offs_u[None, :] < HIDDEN)
    before = tl.load(state_ptr + state, mask=mask_s, other=0.0).to(tl.float32)
    if CELL == "lstm":
        c = activate(g1, "sigmoid", 0.0) * before + activate(g0, "sigmoid", 0.0) * activate(
            g2, "tanh", 0.0
        )
        tl.store(c_out_ptr + state, c, mask=mask_s)
        h = activate(g3, "sigmoid", 0.0) * activate(c, "tanh", 0.0)
    else:
        update = activate(g1, "sigmoid", 0.0)
        new = activate(g2 + activate(g0, "sigmoid", 0.0) * g3, "tanh", 0.0)
        h = (1.0 - update) * new + update * before
    tl.store(h_out_ptr + state, h.to(h_out_ptr.dtype.element_ty), mask=mask_s)
