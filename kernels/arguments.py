"""Checks and arguments that launchers of several kernels share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from kernels.launch import ALIGNMENT_BYTES, LARGEST_OFFSET, signed_word, takes_any_device

if TYPE_CHECKING:
    import torch


def check_device(*tensors: torch.Tensor) -> None:
    """Raise ValueError unless all tensors are on one GPU, or where launches of this block go."""
    devices = {str(tensor.device) for tensor in tensors}
    if len(devices) > 1:
        raise ValueError(f"tensors are on different devices: {', '.join(sorted(devices))}")
    if not takes_any_device() and not all(tensor.is_cuda for tensor in tensors):
        raise ValueError(
            f"tensors are on {devices.pop()}; Triton kernels need a GPU, or TRITON_INTERPRET=1"
        )


def aligned(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor if it is contiguous at an address that launches may promise, else a copy."""
    tensor = tensor.contiguous()
    return tensor.clone() if tensor.data_ptr() % ALIGNMENT_BYTES else tensor


def check_apart(name: str, out: torch.Tensor, *inputs: torch.Tensor) -> None:
    """Raise ValueError if contiguous tensors that are read share memory with an output.

    Programs run in any order, so one would read what another has written already.
    """
    for tensor in inputs:
        if overlap(out, tensor):
            raise ValueError(f"{name} must not share memory with an input, which is still read")


def overlap(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two contiguous tensors share bytes; neighbours in one memory do not."""
    if a.device != b.device or a.is_meta or not (a.numel() and b.numel()):
        return False
    first, second = a.data_ptr(), b.data_ptr()
    return first < second + b.nbytes and second < first + a.nbytes


def check_numbers(seed: int, start: int, count: int, stream: int) -> None:
    """Raise ValueError unless seed and sample numbers fit 64 bits and the stream 32."""
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed={seed} must be between 0 and 2**64 - 1")
    if start < 0 or start + count > 2**64:
        raise ValueError(f"samples {start} to {start + count} must lie between 0 and 2**64")
    if not 0 <= stream < 2**32:
        raise ValueError(f"stream={stream} must be between 0 and 2**32 - 1")


def random_arguments(seed: int, start: int, stream: int) -> dict[str, int]:
    """The runtime arguments of a kernel that makes random numbers: 64-bit ones as two words."""
    return {
        "seed_low": signed_word(seed),
        "seed_high": signed_word(seed >> 32),
        "start_low": signed_word(start),
        "start_high": signed_word(start >> 32),
        "stream": signed_word(stream),
    }


def row_ranges(count: int, *widths: int) -> tuple[tuple[int, int], ...]:
    """Row ranges below the offset limit in tensors [count, width], cut at aligned addresses.

    Raises ValueError if the fewest rows that end aligned are beyond the limit.
    """
    widest = max(1, *widths)
    # That many rows are a multiple of 16 elements in each tensor, so of 16 bytes in any type.
    step = max(16 // math.gcd(max(1, width), 16) for width in widths)
    rows = LARGEST_OFFSET // widest // step * step
    if rows == 0 and count * widest > LARGEST_OFFSET:
        raise ValueError(
            f"{widest} elements a row are too many: {step} rows must stay below 2^31 elements"
        )
    rows = rows or max(1, count)
    return tuple((first, min(count, first + rows)) for first in range(0, count, rows))
