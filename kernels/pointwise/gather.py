"""Rows of a table by index: the label embedding of conditional generators.

    out[i] = table[index[i]]        index [...] int64, table [classes, *shape] -> [..., *shape]

Bytes: the index, the rows that are asked for, and the output. An index outside the table reads
nothing and gives NaN: a check on the host would wait for the device, so the caller checks labels
where they come from. Reference: `kernels.reference.layout.embedding`.
"""

from __future__ import annotations

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.arguments import check_device
from kernels.launch import ALIGNMENT_BYTES, LARGEST_OFFSET, Launch
from kernels.pointwise.checks import check, output
from kernels.pointwise.walk import batch_ranges

BLOCK = 1024


@triton.jit(do_not_specialize=["rows"])
def gather_kernel(
    index_ptr,
    table_ptr,
    out_ptr,
    rows,
    CLASSES: tl.constexpr,
    WIDTH: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """BLOCK neighbouring elements of the output."""
    element = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    row = element // WIDTH
    mask = row < rows
    index = tl.load(index_ptr + row, mask=mask, other=0)
    there = (index >= 0) & (index < CLASSES)
    # In range it fits 32 bits, because the table does.
    offsets = tl.where(there, index, 0).to(tl.int32) * WIDTH + element % WIDTH
    value = tl.load(table_ptr + offsets, mask=mask & there, other=float("nan"))
    tl.store(out_ptr + element, value, mask=mask)


def embedding_launches(index: Tensor, table: Tensor, out: Tensor) -> tuple[Launch, ...]:
    """Launches for checked tensors."""
    width = math.prod(table.shape[1:])
    indices, target = index.reshape(-1), out.reshape(-1, width) if width else out
    if not width:
        return ()
    return tuple(
        Launch(
            name="gather",
            kernel=gather_kernel,
            grid=(triton.cdiv((last - first) * width, BLOCK), 1, 1),
            arguments={
                "index_ptr": indices[first:last],
                "table_ptr": table,
                "out_ptr": target[first:last],
                "rows": last - first,
            },
            constants={"CLASSES": table.shape[0], "WIDTH": width, "BLOCK": BLOCK},
            num_stages=1,
        )
        for first, last in batch_ranges(indices.shape[0], width)
    )


def embedding(index: Tensor, table: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Rows of table [classes, *shape] by index [...] int32 or int64: [..., *shape] of its type.

    TypeError for another index type; ValueError for a table of 2^31 elements or more, and what
    `check` refuses. A row that is not there is NaN.
    """
    check(table=table)
    if index.dtype not in (torch.int32, torch.int64):
        raise TypeError(f"index is {index.dtype}; it must be int32 or int64")
    if not index.is_contiguous():
        raise ValueError(f"index with strides {index.stride()} is not contiguous")
    if index.numel() and index.data_ptr() % ALIGNMENT_BYTES:
        raise ValueError("index begins at no multiple of 16 bytes; call .clone()")
    check_device(index, table)
    if table.ndim < 1 or table.numel() > LARGEST_OFFSET:
        raise ValueError(
            f"table {tuple(table.shape)} must be [classes, *shape] below 2^31 elements"
        )
    out = output(out, (*index.shape, *table.shape[1:]), table, index)
    for launch in embedding_launches(index, table, out):
        launch.run()
    return out
