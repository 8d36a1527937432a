"""What every public function of this package refuses, and the output it makes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from kernels.arguments import check_apart, check_device
from kernels.launch import ALIGNMENT_BYTES

DTYPES = (torch.float16, torch.bfloat16, torch.float32)


def check(**tensors: Tensor) -> None:
    """Refuse tensors that kernels cannot take, by argument name.

    TypeError for what is no tensor or of a type other than DTYPES. ValueError for a tensor that is
    not contiguous, not at a multiple of 16 bytes, or on another device than the kernel runs on.
    """
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} is {type(tensor).__name__}, not a torch tensor")
        if tensor.dtype not in DTYPES:
            raise TypeError(f"{name} is {tensor.dtype}; kernels take float16, bfloat16, float32")
        if not tensor.is_contiguous():
            raise ValueError(
                f"{name} {tuple(tensor.shape)} with strides {tensor.stride()} is not contiguous; "
                f"call .contiguous()"
            )
        if tensor.numel() and tensor.data_ptr() % ALIGNMENT_BYTES:
            raise ValueError(
                f"{name} begins at an address that is no multiple of {ALIGNMENT_BYTES} bytes; "
                f"call .clone()"
            )
    check_device(*tensors.values())


def output(
    out: Tensor | None,
    shape: Sequence[int],
    *inputs: Tensor | None,
    in_place: bool = False,
) -> Tensor:
    """`out` if it is given and has that shape, else a new tensor of the first input's type.

    ValueError for another shape, and for memory shared with an input, unless the kernel may work
    `in_place` (each program reads what it writes, and nothing of others) and `out` is that input.
    """
    given = [value for value in inputs if value is not None]
    if out is None:
        return torch.empty(tuple(shape), dtype=given[0].dtype, device=given[0].device)
    check(out=out)
    check_device(out, *given)
    if tuple(out.shape) != tuple(shape):
        raise ValueError(f"out {tuple(out.shape)} must be {tuple(shape)}")
    check_apart("out", out, *(value for value in given if not (in_place and _same(value, out))))
    return out


def _same(value: Tensor, out: Tensor) -> bool:
    """Whether two tensors are the same elements of memory."""
    kinds = (value.data_ptr(), value.shape, value.dtype)
    return kinds == (out.data_ptr(), out.shape, out.dtype)
