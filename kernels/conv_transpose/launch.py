"""Fused convolutions on tensors: checks, packing, splitting of large batches, allocation, launch.

    out = act(conv(x, weight) * scale + shift), channels last

x of another memory order or address is copied; `out` must be contiguous, start at a multiple of
16 bytes and share no memory with x. A wrong type is a TypeError, any other mismatch a ValueError.
An empty batch gives an empty output. NaN passes through to floating-point outputs and becomes 0 in
images. Batches of more than 2^31 - 1 elements are split. There are no gradients: x that asks for
them is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.arguments import aligned, check_apart, check_device
from kernels.conv_transpose.design import Packed
from kernels.conv_transpose.designs import load_design
from kernels.conv_transpose.packing import TORCH_TYPES
from kernels.conv_transpose.planner import Plan, plan
from kernels.conv_transpose.problem import OPERANDS, Activation, Operand, OutputType, Problem
from kernels.geometry import Geometry, Size
from kernels.launch import ALIGNMENT_BYTES, LARGEST_OFFSET, Launch

# What the interpreter and tensors without a device are planned for.
DEFAULT_ARCHITECTURE = 80
OPERAND_OF = {TORCH_TYPES[name]: name for name in OPERANDS}


@dataclass(frozen=True)
class Layer:
    """One layer, planned for a batch and packed once; call it on x [batch, *input_size, in]."""

    plan: Plan
    packed: Packed

    @classmethod
    def pack(
        cls,
        problem: Problem,
        weight: Tensor,
        scale: Tensor | None = None,
        shift: Tensor | None = None,
        *,
        batch: int,
        architecture: int | None = None,
        chosen: Plan | None = None,
    ) -> Layer:
        """Plan for a batch (others run as well) and pack weight [*kernel, in / groups, out].

        The architecture is that of the weight's device if it is not given. Raises ValueError for
        shapes that do not fit, or if a chosen plan's design refuses the problem.
        """
        architecture = architecture or architecture_of(weight.device)
        chosen = chosen or plan(problem, batch, architecture)
        design = load_design(chosen.design)
        refusal = design.refuses(problem, architecture)
        if refusal:
            raise ValueError(f"{chosen.design} cannot run this layer: {refusal}")
        return cls(chosen, design.pack(problem, chosen.tile, weight, scale, shift))

    def launches(self, x: Tensor, out: Tensor) -> tuple[Launch, ...]:
        """Launches for contiguous, aligned x and out, on any device; raises as calling does."""
        problem = self.packed.problem
        check_input(problem, x)
        if aligned(x) is not x:
            raise ValueError(f"x must be contiguous, at a multiple of {ALIGNMENT_BYTES} bytes")
        check_output(problem, x, out)
        design = load_design(self.plan.design)
        widths = (math.prod(x.shape[1:]), math.prod(out.shape[1:]))
        return tuple(
            launch
            for first, last in batch_ranges(x.shape[0], *widths)
            for launch in design.launches(self.packed, x[first:last], out[first:last])
        )

    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """The layer's output [batch, *output_size, out_channels], in `out` if it is given."""
        problem = self.packed.problem
        check_input(problem, x)
        if out is None:
            shape = (x.shape[0], *problem.geometry.output_size, problem.out_channels)
            out = torch.empty(shape, dtype=TORCH_TYPES[problem.output], device=x.device)
        check_device(x, self.packed.weight, out)
        for launch in self.launches(aligned(x), out):
            launch.run()
        return out


def conv_transpose(
    x: Tensor,
    weight: Tensor,
    scale: Tensor | None = None,
    shift: Tensor | None = None,
    *,
    stride: Size | int = 1,
    padding: Size | int = 0,
    output_padding: Size | int = 0,
    dilation: Size | int = 1,
    groups: int = 1,
    activation: Activation = "none",
    slope: float = 0.2,
    output: OutputType | None = None,
    value_range: tuple[float, float] = (-1.0, 1.0),
    out: Tensor | None = None,
) -> Tensor:
    """Transposed convolution of x [batch, *size, in] with weight [*kernel, in / groups, out].

    Packs the weights at every call: a Layer is packed once. The output type is x's unless given.
    """
    _check_ranks(x, weight)
    geometry = Geometry.transposed(
        tuple(x.shape[1:-1]),
        tuple(weight.shape[:-2]),
        stride,
        padding,
        output_padding,
        dilation,
    )
    problem = _problem(geometry, x, weight, groups, activation, slope, output, value_range)
    return Layer.pack(problem, weight, scale, shift, batch=x.shape[0])(x, out)


def convolution(
    x: Tensor,
    weight: Tensor,
    scale: Tensor | None = None,
    shift: Tensor | None = None,
    *,
    stride: Size | int = 1,
    padding: Size | int = 0,
    dilation: Size | int = 1,
    groups: int = 1,
    activation: Activation = "none",
    slope: float = 0.2,
    output: OutputType | None = None,
    value_range: tuple[float, float] = (-1.0, 1.0),
    out: Tensor | None = None,
) -> Tensor:
    """Forward convolution; arguments as of conv_transpose."""
    _check_ranks(x, weight)
    geometry = Geometry.forward(
        tuple(x.shape[1:-1]), tuple(weight.shape[:-2]), stride, padding, dilation
    )
    problem = _problem(geometry, x, weight, groups, activation, slope, output, value_range)
    return Layer.pack(problem, weight, scale, shift, batch=x.shape[0])(x, out)


def linear(
    x: Tensor,
    weight: Tensor,
    scale: Tensor | None = None,
    shift: Tensor | None = None,
    *,
    activation: Activation = "none",
    slope: float = 0.2,
    output: OutputType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """x [batch, in] times weight [in, out]: the convolution with no axes."""
    return convolution(
        x, weight, scale, shift, activation=activation, slope=slope, output=output, out=out
    )


def architecture_of(device: torch.device) -> int:
    """Compute capability of a GPU (80 for 8.0); that of the interpreter elsewhere."""
    if device.type != "cuda":
        return DEFAULT_ARCHITECTURE
    major, minor = torch.cuda.get_device_capability(device)
    return 10 * major + minor


def batch_ranges(batch: int, *widths: int) -> tuple[tuple[int, int], ...]:
    """Ranges of samples whose tensors stay below the offset limit and start at aligned addresses.

    widths: elements of one sample of each tensor. Raises ValueError if too few samples fit.
    """
    # That many samples are a multiple of 16 elements, so of 16 bytes in any type.
    unit = max(16 // math.gcd(max(1, width), 16) for width in widths)
    largest = max(1, *widths)
    step = LARGEST_OFFSET // largest // unit * unit
    if step == 0 and batch * largest > LARGEST_OFFSET:
        raise ValueError(
            f"{largest} elements a sample are too many: {unit} samples must stay below 2^31"
        )
    step = step or batch
    return tuple((first, min(batch, first + step)) for first in range(0, batch, max(1, step)))


def check_input(problem: Problem, x: Tensor) -> None:
    """Raise TypeError or ValueError unless x is [batch, *input_size, in_channels] as it should."""
    if x.dtype != TORCH_TYPES[problem.operand]:
        raise TypeError(f"x is {x.dtype}, the layer was packed for {problem.operand}")
    sample = (*problem.geometry.input_size, problem.in_channels)
    if tuple(x.shape[1:]) != sample or x.dim() == 0:
        raise ValueError(
            f"x has shape {tuple(x.shape)}, the layer needs (batch, {', '.join(map(str, sample))})"
            ": channels are last"
        )
    if x.requires_grad and torch.is_grad_enabled():
        raise ValueError("x requires gradients, which these kernels have not: use torch.no_grad()")


def check_output(problem: Problem, x: Tensor, out: Tensor) -> None:
    """Raise TypeError or ValueError unless out can take the layer's output for x."""
    if out.dtype != TORCH_TYPES[problem.output]:
        raise TypeError(f"out is {out.dtype}, the layer gives {problem.output}")
    shape = (x.shape[0], *problem.geometry.output_size, problem.out_channels)
    if tuple(out.shape) != shape:
        raise ValueError(f"out has shape {tuple(out.shape)}, the layer gives {shape}")
    if not out.is_contiguous():
        raise ValueError(f"out must be contiguous; its strides are {out.stride()}")
    if not out.is_meta and out.data_ptr() % ALIGNMENT_BYTES:
        raise ValueError(f"out must start at a multiple of {ALIGNMENT_BYTES} bytes")
    check_apart("out", out, x)


def _check_ranks(x: Tensor, weight: Tensor) -> None:
    if x.dtype not in OPERAND_OF:
        raise TypeError(f"x is {x.dtype}; kernels take {', '.join(OPERANDS)}")
    if x.dim() != weight.dim() or x.dim() < 2:
        raise ValueError(
            f"x {tuple(x.shape)} and weight {tuple(weight.shape)} must be [batch, *size, in] and "
            "[*kernel, in / groups, out]"
        )


def _problem(
    geometry: Geometry,
    x: Tensor,
    weight: Tensor,
    groups: int,
    activation: Activation,
    slope: float,
    output: OutputType | None,
    value_range: tuple[float, float],
) -> Problem:
    operand: Operand = OPERAND_OF[x.dtype]
    return Problem(
        geometry,
        x.shape[-1],
        weight.shape[-1],
        groups,
        operand,
        output or operand,
        activation,
        slope,
        value_range,
    )
