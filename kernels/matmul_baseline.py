"""Triton's tutorial matrix product in the tutorial's configurations: what loops are compared with.

    c[m, n] = sum over k of a[m, k] b[k, n]        fp16 or bf16, fp32 accumulation

The kernel and the configurations are those of tutorial 03 (matrix multiplication), so the
comparison is with loops that many have read and tuned. Sizes are constants here, which is the best
case for it. Loops are comparable where their tensor-core instruction is the same: that of sm_90 is
as wide as the tile.

Source: https://triton-lang.org/main/getting-started/tutorials/03-matrix-multiplication.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import triton
import triton.language as tl

from kernels.conv_transpose.design import Tile
from kernels.launch import Launch, interpreting

if TYPE_CHECKING:
    from torch import Tensor

NAME = "matmul_baseline"

TUTORIAL_TILES = (
    Tile(rows=128, columns=256, depth=64, stages=3, warps=8),
    Tile(rows=64, columns=256, depth=32, stages=4, warps=4),
    Tile(rows=128, columns=128, depth=32, stages=4, warps=4),
    Tile(rows=128, columns=64, depth=32, stages=4, warps=4),
    Tile(rows=64, columns=128, depth=32, stages=4, warps=4),
    Tile(rows=128, columns=32, depth=32, stages=4, warps=4),
    Tile(rows=64, columns=32, depth=32, stages=5, warps=2),
    Tile(rows=32, columns=64, depth=32, stages=5, warps=2),
    # The tutorial's for fp8, with half the depth so that a tile of fp16 has as many bytes.
    Tile(rows=256, columns=128, depth=64, stages=3, warps=8),
    Tile(rows=256, columns=64, depth=64, stages=4, warps=4),
    Tile(rows=64, columns=256, depth=64, stages=4, warps=4),
    Tile(rows=128, columns=128, depth=64, stages=4, warps=4),
)

# Tiles of rows whose tiles of columns run together, so that both stay in L2.
GROUP_ROWS = 8


@triton.jit
def matmul_kernel(
    a_ptr,
    b_ptr,
    c_ptr,
    M: tl.constexpr,
    N: tl.constexpr,
    K: tl.constexpr,
    GROUP_M: tl.constexpr,
    UPCAST: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """One tile of c."""
    pid = tl.program_id(0)
    row_tiles = tl.cdiv(M, BLOCK_M)
    column_tiles = tl.cdiv(N, BLOCK_N)
    group = pid // (GROUP_M * column_tiles)
    first = group * GROUP_M
    size = tl.minimum(row_tiles - first, GROUP_M)
    row_tile = first + (pid % (GROUP_M * column_tiles)) % size
    column_tile = (pid % (GROUP_M * column_tiles)) // size

    offs_m = (row_tile * BLOCK_M + tl.arange(0, BLOCK_M)) % M
    offs_n = (column_tile * BLOCK_N + tl.arange(0, BLOCK_N)) % N
    offs_k = tl.arange(0, BLOCK_K)
    a_tile = a_ptr + offs_m[:, None] * K + offs_k[None, :]
    b_tile = b_ptr + offs_k[:, None] * N + offs_n[None, :]
    acc = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for step in range(tl.cdiv(K, BLOCK_K)):
        a = tl.load(a_tile, mask=offs_k[None, :] < K - step * BLOCK_K, other=0.0)
        b = tl.load(b_tile, mask=offs_k[:, None] < K - step * BLOCK_K, other=0.0)
        if UPCAST:
            a = a.to(tl.float32)
            b = b.to(tl.float32)
        acc = tl.dot(a, b, acc)
        a_tile += BLOCK_K
        b_tile += BLOCK_K * N

    rows = row_tile * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = column_tile * BLOCK_N + tl.arange(0, BLOCK_N)
    mask = (rows[:, None] < M) & (columns[None, :] < N)
    tl.store(c_ptr + rows[:, None] * N + columns[None, :], acc.to(a_ptr.dtype.element_ty), mask)


def launch(tile: Tile, a: Tensor, b: Tensor, c: Tensor) -> Launch:
    """The product of a [m, k] and b [k, n] into c [m, n], all contiguous and of one type.

    They may be meta tensors. Raises ValueError for shapes that do not fit each other.
    """
    (m, k), (inner, n) = a.shape, b.shape
    if inner != k or tuple(c.shape) != (m, n):
        raise ValueError(
            f"a {tuple(a.shape)}, b {tuple(b.shape)} and c {tuple(c.shape)} do not fit"
        )
    return Launch(
        name=NAME,
        kernel=matmul_kernel,
        grid=(triton.cdiv(m, tile.rows) * triton.cdiv(n, tile.columns), 1, 1),
        arguments={"a_ptr": a, "b_ptr": b, "c_ptr": c},
        constants={
            "M": m,
            "N": n,
            "K": k,
            "GROUP_M": GROUP_ROWS,
            "UPCAST": interpreting() and a.dtype is torch.bfloat16,
            "BLOCK_M": tile.rows,
            "BLOCK_N": tile.columns,
            "BLOCK_K": tile.depth,
        },
        num_warps=tile.warps,
        num_stages=tile.stages,
    )


def tutorial_launches(size: int = 4096, dtype: torch.dtype = torch.float16) -> tuple[Launch, ...]:
    """Every configuration over square matrices, to be compiled only."""
    a, b, c = (torch.empty((size, size), dtype=dtype, device="meta") for _ in range(3))
    return tuple(launch(tile, a, b, c) for tile in TUTORIAL_TILES)
