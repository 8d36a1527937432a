"""One kernel for everything elementwise and for every move of elements.

    out[o(i)] = act(f(a[a(i)], b[b(i)], c[c(i)]))            for all i of an index space

where o, a, b and c are offsets linear in the index along each axis: a stride of 0 repeats
(broadcast, nearest upsampling), other strides permute, slice or interleave. f: copy (a), add, sub,
mul, div, max, min, affine (a * b + c), prelu (a, or a * b below zero). Arithmetic is fp32.

Bytes: every input and the output once. Unfused, each step of f and act would read and write the
whole map again. Not for the end of a matrix product: those epilogues are in their own kernels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import triton
import triton.language as tl

from kernels.jit.activation import evaluate
from kernels.launch import Launch
from kernels.pointwise.walk import MOST_AXES, batch_ranges, merged

if TYPE_CHECKING:
    import torch

# Eight elements a thread: 16 bytes of a 16-bit type.
BLOCK = 1024


@triton.jit
def offset(i_0, i_1, i_2, i_3, i_4, i_5, BASE, S_0, S_1, S_2, S_3, S_4, S_5):
    """Offset of an index, outermost axis first."""
    return BASE + i_0 * S_0 + i_1 * S_1 + i_2 * S_2 + i_3 * S_3 + i_4 * S_4 + i_5 * S_5


@triton.jit(do_not_specialize=["samples"])
def map_kernel(
    a_ptr,
    b_ptr,
    c_ptr,
    out_ptr,
    samples,
    SIZE_1: tl.constexpr,
    SIZE_2: tl.constexpr,
    SIZE_3: tl.constexpr,
    SIZE_4: tl.constexpr,
    SIZE_5: tl.constexpr,
    A_BASE: tl.constexpr,
    A_0: tl.constexpr,
    A_1: tl.constexpr,
    A_2: tl.constexpr,
    A_3: tl.constexpr,
    A_4: tl.constexpr,
    A_5: tl.constexpr,
    B_0: tl.constexpr,
    B_1: tl.constexpr,
    B_2: tl.constexpr,
    B_3: tl.constexpr,
    B_4: tl.constexpr,
    B_5: tl.constexpr,
    C_0: tl.constexpr,
    C_1: tl.constexpr,
    C_2: tl.constexpr,
    C_3: tl.constexpr,
    C_4: tl.constexpr,
    C_5: tl.constexpr,
    OUT_BASE: tl.constexpr,
    OUT_0: tl.constexpr,
    OUT_1: tl.constexpr,
    OUT_2: tl.constexpr,
    OUT_3: tl.constexpr,
    OUT_4: tl.constexpr,
    OUT_5: tl.constexpr,
    FUNCTION: tl.constexpr,
    ACTIVATION: tl.constexpr,
    ALPHA: tl.constexpr,
    BETA: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """BLOCK neighbouring indices."""
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    i_5 = index % SIZE_5
    rest = index // SIZE_5
    i_4 = rest % SIZE_4
    rest = rest // SIZE_4
    i_3 = rest % SIZE_3
    rest = rest // SIZE_3
    i_2 = rest % SIZE_2
    rest = rest // SIZE_2
    i_1 = rest % SIZE_1
    # The mask is that of whole samples: it repeats along a run, so that loads can be vectors.
    i_0 = rest // SIZE_1
    mask = i_0 < samples
    a_offset = offset(i_0, i_1, i_2, i_3, i_4, i_5, A_BASE, A_0, A_1, A_2, A_3, A_4, A_5)
    value = tl.load(a_ptr + a_offset, mask=mask, other=0.0).to(tl.float32)
    if b_ptr is not None:
        b_offset = offset(i_0, i_1, i_2, i_3, i_4, i_5, 0, B_0, B_1, B_2, B_3, B_4, B_5)
        b = tl.load(b_ptr + b_offset, mask=mask, other=1.0).to(tl.float32)
        if FUNCTION == "add":
            value += b
        elif FUNCTION == "sub":
            value -= b
        elif FUNCTION == "div":
            value /= b
        elif FUNCTION == "max":
            value = tl.where((value > b) | (value != value), value, b)
        elif FUNCTION == "min":
            value = tl.where((value < b) | (value != value), value, b)
        elif FUNCTION == "prelu":
            value = tl.where(value < 0.0, value * b, value)
        else:
            value *= b
    if c_ptr is not None:
        c_offset = offset(i_0, i_1, i_2, i_3, i_4, i_5, 0, C_0, C_1, C_2, C_3, C_4, C_5)
        value += tl.load(c_ptr + c_offset, mask=mask, other=0.0).to(tl.float32)
    value = evaluate(value, ACTIVATION, ALPHA, BETA)
    out_offset = offset(
        i_0, i_1, i_2, i_3, i_4, i_5, OUT_BASE, OUT_0, OUT_1, OUT_2, OUT_3, OUT_4, OUT_5
    )
    tl.store(out_ptr + out_offset, value.to(out_ptr.dtype.element_ty), mask=mask)


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor with its walk over the index space: strides [batch, *sizes] and a first offset."""

    tensor: torch.Tensor
    strides: tuple[int, ...]
    base: int = 0

    @property
    def width(self) -> int:
        """Elements that a sample takes of the tensor; none if all samples share it."""
        return self.strides[0]

    def rows(self, first: int, last: int) -> torch.Tensor:
        """What samples first .. last read or write."""
        return self.tensor[first:last] if self.strides[0] else self.tensor


def map_launches(
    name: str,
    sizes: Sequence[int],
    out: Operand,
    a: Operand,
    b: Operand | None = None,
    c: Operand | None = None,
    *,
    function: str = "copy",
    activation: str = "none",
    alpha: float = 0.0,
    beta: float = 0.0,
) -> tuple[Launch, ...]:
    """Launches over batch x sizes, the batch being that of `out`; no launch without elements.

    ValueError if the axes cannot be merged to MOST_AXES, or a sample is too large.
    """
    batch = out.tensor.shape[0] if out.tensor.ndim else 1
    operands = {"A": a, "B": b, "C": c, "OUT": out}
    present = {key: value for key, value in operands.items() if value is not None}
    short, steps = merged(sizes, [operand.strides[1:] for operand in present.values()])
    if 0 in short:
        return ()
    blank = MOST_AXES - 1 - len(short)
    constants: dict[str, int | float | str | None] = {
        f"SIZE_{axis}": size for axis, size in enumerate((1,) * blank + short, start=1)
    }
    walks = dict(zip(present, steps, strict=True))
    for key, operand in operands.items():
        walk = walks.get(key, (0,) * len(short))
        first = 0 if operand is None else operand.strides[0]
        for axis, step in enumerate((first, *(0,) * blank, *walk)):
            constants[f"{key}_{axis}"] = step
    elements = math.prod(short)
    return tuple(
        Launch(
            name=name,
            kernel=map_kernel,
            grid=(triton.cdiv((last - first) * elements, BLOCK), 1, 1),
            arguments={
                **{
                    f"{key.lower()}_ptr": operand.rows(first, last)
                    for key, operand in present.items()
                },
                "samples": last - first,
            },
            constants={
                **constants,
                **{f"{key.lower()}_ptr": None for key in operands if key not in present},
                "A_BASE": a.base,
                "OUT_BASE": out.base,
                "FUNCTION": function,
                "ACTIVATION": activation,
                "ALPHA": alpha if math.isfinite(alpha) else None,
                "BETA": beta if math.isfinite(beta) else None,
                "BLOCK": BLOCK,
            },
            num_stages=1,
        )
        for first, last in batch_ranges(
            batch, elements, *(operand.width for operand in present.values())
        )
    )
