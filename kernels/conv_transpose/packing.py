"""Weights, scale and shift in the form that designs share: padded, normalised, on their device."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from kernels.conv_transpose.problem import Operand, OutputType, Problem
from kernels.launch import Constant

if TYPE_CHECKING:
    from torch import Tensor

TORCH_TYPES = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp32": torch.float32,
    "uint8": torch.uint8,
}


def type_bytes(name: Operand | OutputType) -> int:
    """Bytes of one element."""
    return TORCH_TYPES[name].itemsize


def ceil_to(value: int, multiple: int) -> int:
    """The smallest multiple that is not below a value."""
    return -(-value // multiple) * multiple


def image_constants(problem: Problem) -> dict[str, Constant]:
    """The epilogue's constants: activation, output type, and the factors of a uint8 image."""
    low, high = problem.value_range
    scale = 255.0 / (high - low)
    return {
        "ACTIVATION": problem.activation,
        "SLOPE": problem.slope,
        "OUTPUT": problem.output,
        "IMAGE_SCALE": scale,
        "IMAGE_SHIFT": -low * scale,
    }


def check_weight(problem: Problem, weight: Tensor) -> None:
    """Raise ValueError unless weight is [*kernel, in_channels / groups, out_channels]."""
    shape = (
        *problem.geometry.kernel,
        problem.in_channels // problem.groups,
        problem.out_channels,
    )
    if tuple(weight.shape) != shape:
        raise ValueError(f"weight has shape {tuple(weight.shape)}, the problem needs {shape}")


def pack_weight(
    problem: Problem, weight: Tensor, rows: int, columns: int, *, normalise: bool = True
) -> tuple[Tensor, Tensor | None]:
    """[*kernel, in, out] -> [taps, rows, columns] of the operand type, zeros around.

    fp16 has five exponent bits, and folded batch norms make channels of very different size: each
    output channel is divided by the power of two that brings its largest weight to
    [2^14, 2^15), and the powers [out] are returned to be multiplied into the scale. Weights down to
    2^-28 of the largest keep all their bits. Sums must then be scaled before they become fp16;
    `normalise=False` is for kernels that write them bare. Raises ValueError for another shape.
    """
    check_weight(problem, weight)
    taps = weight.detach().to(torch.float32).reshape(problem.geometry.taps, *weight.shape[-2:])
    factors = None
    if normalise and problem.operand == "fp16":
        factors = channel_powers(taps)
        taps = taps / factors
    packed = torch.zeros(
        (taps.shape[0], rows, columns),
        dtype=TORCH_TYPES[problem.operand],
        device=weight.device,
    )
    packed[:, : taps.shape[1], : taps.shape[2]] = taps
    return packed, factors


def channel_powers(taps: Tensor) -> Tensor:
    """Powers of two [out] that bring a channel's largest |weight| to [2^14, 2^15); 1 for zeros.

    That is the top of fp16 but for one bit, which rounding up may take.
    """
    largest = taps.abs().amax(dim=(0, 1))
    exponent = torch.frexp(largest).exponent - 15
    # Beyond 2^-126 the power itself would be subnormal; there is nothing left to keep there.
    exponent = exponent.clamp(-125, 127)
    usable = torch.isfinite(largest) & (largest > 0)
    return torch.where(usable, torch.ldexp(torch.ones_like(largest), exponent), 1.0)


def pack_vectors(
    problem: Problem,
    scale: Tensor | None,
    shift: Tensor | None,
    columns: int,
    device: torch.device,
    factors: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Scale (times factors) and shift as float32 [columns]; no scale means ones, no shift zeros.

    Raises ValueError for vectors that are not [out_channels].
    """
    for name, vector in (("scale", scale), ("shift", shift)):
        if vector is not None and tuple(vector.shape) != (problem.out_channels,):
            raise ValueError(
                f"{name} has shape {tuple(vector.shape)}, the problem needs "
                f"({problem.out_channels},)"
            )
    count = problem.out_channels
    scales = torch.zeros(columns, device=device)
    scales[:count] = 1.0 if scale is None else scale.detach().to(torch.float32)
    if factors is not None:
        scales[:count] *= factors
    shifts = torch.zeros(columns, device=device)
    if shift is not None:
        shifts[:count] = shift.detach().to(torch.float32)
    return scales, shifts
