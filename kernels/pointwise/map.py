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
from kernels.launch import Constant, Launch
from kernels.pointwise.walk import MOST_AXES, batch_ranges, merged

if TYPE_CHECKING:
    import torch

# Eight elements a thread: 16 bytes of a 16-bit type.
BLOCK = 1024


@triton.jit
def offset(index, BASE: tl.constexpr, STRIDE: tl.constexpr):
    """Offset of an index, a tuple over the axes as STRIDE is."""
    found = BASE + index[0] * STRIDE[0]
    for axis in tl.static_range(1, len(STRIDE)):
        found += index[axis] * STRIDE[axis]
    return found


@triton.jit(do_not_specialize=["samples"])
def map_kernel(
    a_ptr,
    b_ptr,
    c_ptr,
    out_ptr,
    samples,
    SIZE: tl.constexpr,
    A_BASE: tl.constexpr,
    A: tl.constexpr,
    B: tl.constexpr,
    C: tl.constexpr,
    OUT_BASE: tl.constexpr,
    OUT: tl.constexpr,
    FUNCTION: tl.constexpr,
    ACTIVATION: tl.constexpr,
    ALPHA: tl.constexpr,
    BETA: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """BLOCK neighbouring indices. SIZE leaves out the batch; A, B, C and OUT are all strides."""
    rest = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    i_5 = rest % SIZE[4]
    rest = rest // SIZE[4]
    i_4 = rest % SIZE[3]
    rest = rest // SIZE[3]
    i_3 = rest % SIZE[2]
    rest = rest // SIZE[2]
    i_2 = rest % SIZE[1]
    rest = rest // SIZE[1]
    i_1 = rest % SIZE[0]
    i_0 = rest // SIZE[0]
    index = (i_0, i_1, i_2, i_3, i_4, i_5)
    # The mask is that of whole samples: it repeats along a run, so that loads can be vectors.
    mask = i_0 < samples
    value = tl.load(a_ptr + offset(index, A_BASE, A), mask=mask, other=0.0).to(tl.float32)
    if b_ptr is not None:
        b = tl.load(b_ptr + offset(index, 0, B), mask=mask, other=1.0).to(tl.float32)
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
        value += tl.load(c_ptr + offset(index, 0, C), mask=mask, other=0.0).to(tl.float32)
    value = evaluate(value, ACTIVATION, ALPHA, BETA)
    out_offset = offset(index, OUT_BASE, OUT)
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
    constants: dict[str, Constant] = {"SIZE": (1,) * blank + short}
    walks = dict(zip(present, steps, strict=True))
    for key, operand in operands.items():
        walk = walks.get(key, (0,) * len(short))
        first = 0 if operand is None else operand.strides[0]
        constants[key] = (first, *(0,) * blank, *walk)
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
