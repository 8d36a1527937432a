"""Two axes of every sample exchanged: channels first to channels last, and back.

    out[n, b, a] = x[n, a, b]          x [batch, rows, columns] -> out [batch, columns, rows]

A tile is read along one axis and written along the other, exchanged through shared memory, so that
both sides move 16 bytes a thread: a plain strided move (`kernels.pointwise.map`) would touch a
32-byte sector for every element on one side. Bytes: x and out once. Reference: numpy's transpose.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from kernels.launch import Launch
from kernels.pointwise.walk import batch_ranges

TILE = 64


@triton.jit
def transpose_kernel(
    x_ptr, out_ptr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, BLOCK: tl.constexpr
):
    """One tile of BLOCK x BLOCK elements of one sample."""
    ROW_TILES: tl.constexpr = (ROWS + BLOCK - 1) // BLOCK
    COLUMN_TILES: tl.constexpr = (COLUMNS + BLOCK - 1) // BLOCK
    pid = tl.program_id(0)
    first = (pid // (ROW_TILES * COLUMN_TILES)) * (ROWS * COLUMNS)
    row = ((pid // COLUMN_TILES) % ROW_TILES) * BLOCK + tl.arange(0, BLOCK)
    column = (pid % COLUMN_TILES) * BLOCK + tl.arange(0, BLOCK)
    mask = (row < ROWS)[:, None] & (column < COLUMNS)[None, :]
    value = tl.load(x_ptr + first + row[:, None] * COLUMNS + column[None, :], mask=mask)
    tl.store(out_ptr + first + column[None, :] * ROWS + row[:, None], value, mask=mask)


def transpose_launches(x: Tensor, rows: int, columns: int, out: Tensor) -> tuple[Launch, ...]:
    """Launches for checked tensors whose samples are [rows, columns] and [columns, rows]."""
    if not rows * columns:
        return ()
    tiles = triton.cdiv(rows, TILE) * triton.cdiv(columns, TILE)
    return tuple(
        Launch(
            name="move_transpose",
            kernel=transpose_kernel,
            grid=((last - first) * tiles, 1, 1),
            arguments={"x_ptr": x[first:last], "out_ptr": out[first:last]},
            constants={"ROWS": rows, "COLUMNS": columns, "BLOCK": TILE},
            num_stages=1,
        )
        for first, last in batch_ranges(x.shape[0], rows * columns)
    )
