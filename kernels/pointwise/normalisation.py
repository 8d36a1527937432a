"""Instance, group and layer norm with an activation, in one launch.

    out = act((x - mean) / sqrt(variance + epsilon) * scale + shift)

x and out [batch, *spatial, channels]; mean and variance over the positions of a sample, per channel
(instance), per group of channels (group), or over the channels of a position (layer). A program
owns what shares its statistics and reads it three times, for the mean, the squares of the
differences, and the result: two passes keep a large mean from cancelling, in fp32. What it owns
fits the second-level cache, so memory sees one read and one write; unfused PyTorch has two more of
each, for scale and activation. Where a program would own more than the cache (maps beyond 512 x
512 with few channels) it is memory-bound three times over.

References: `kernels.reference.normalisation`. Sources: Ulyanov et al. (2016); Wu, He (2018); Ba et
al. (2016).
"""

from __future__ import annotations

import math

import triton
import triton.language as tl
from torch import Tensor

from kernels.jit.activation import evaluate
from kernels.launch import Launch
from kernels.pointwise.checks import check, output
from kernels.pointwise.walk import batch_ranges, warps_for
from kernels.reference.activation import FUNCTIONS

# Elements of a tile, and the most channels that may share their statistics.
TILE = 4096
MOST_CHANNELS = 16384


@triton.jit
def norm_kernel(
    x_ptr,
    scale_ptr,
    shift_ptr,
    out_ptr,
    POSITIONS: tl.constexpr,
    CHANNELS: tl.constexpr,
    WIDTH: tl.constexpr,
    SHARED: tl.constexpr,
    EPSILON: tl.constexpr,
    ACTIVATION: tl.constexpr,
    ALPHA: tl.constexpr,
    BETA: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCK_C: tl.constexpr,
):
    """One sample and WIDTH channels, which share their statistics if SHARED."""
    PARTS: tl.constexpr = (CHANNELS + WIDTH - 1) // WIDTH
    COUNT: tl.constexpr = POSITIONS * WIDTH if SHARED else POSITIONS
    sample = tl.program_id(0) // PARTS
    place = tl.arange(0, BLOCK_C)
    channel = (tl.program_id(0) % PARTS) * WIDTH + place
    mask_c = (place < WIDTH) & (channel < CHANNELS)
    offs_p = tl.arange(0, BLOCK_P)
    first = sample * (POSITIONS * CHANNELS)

    total = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    for start in range(0, POSITIONS, BLOCK_P):
        row = start + offs_p
        mask = (row < POSITIONS)[:, None] & mask_c[None, :]
        offsets = first + row[:, None] * CHANNELS + channel[None, :]
        total += tl.load(x_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
    mean = tl.sum(total, axis=0)
    if SHARED:
        mean = tl.sum(mean, axis=0, keep_dims=True)
    mean = mean / COUNT

    total = tl.zeros((BLOCK_P, BLOCK_C), tl.float32)
    for start in range(0, POSITIONS, BLOCK_P):
        row = start + offs_p
        mask = (row < POSITIONS)[:, None] & mask_c[None, :]
        offsets = first + row[:, None] * CHANNELS + channel[None, :]
        value = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
        centred = tl.where(mask, value - mean[None, :], 0.0)
        total += centred * centred
    variance = tl.sum(total, axis=0)
    if SHARED:
        variance = tl.sum(variance, axis=0, keep_dims=True)
    variance = variance / COUNT

    scale = 1.0 / tl.sqrt(variance + EPSILON)
    if scale_ptr is not None:
        scale *= tl.load(scale_ptr + channel, mask=mask_c, other=0.0).to(tl.float32)
    if shift_ptr is not None:
        shift = tl.load(shift_ptr + channel, mask=mask_c, other=0.0).to(tl.float32)
    else:
        shift = tl.zeros((BLOCK_C,), tl.float32)
    for start in range(0, POSITIONS, BLOCK_P):
        row = start + offs_p
        mask = (row < POSITIONS)[:, None] & mask_c[None, :]
        offsets = first + row[:, None] * CHANNELS + channel[None, :]
        value = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(tl.float32)
        value = (value - mean[None, :]) * scale[None, :] + shift[None, :]
        value = evaluate(value, ACTIVATION, ALPHA, BETA)
        tl.store(out_ptr + offsets, value.to(out_ptr.dtype.element_ty), mask=mask)


def norm_launches(
    name: str,
    x: Tensor,
    scale: Tensor | None,
    shift: Tensor | None,
    out: Tensor,
    *,
    groups: int | None = None,
    epsilon: float = 1e-5,
    activation: str = "none",
    alpha: float = 0.0,
    beta: float = 0.0,
) -> tuple[Launch, ...]:
    """Launches for checked x [samples, *spatial, channels]; no groups is instance norm."""
    samples, channels, positions = x.shape[0], x.shape[-1], math.prod(x.shape[1:-1])
    if not positions * channels:
        return ()
    width = channels // groups if groups else min(64, triton.next_power_of_2(channels))
    block_c = triton.next_power_of_2(width)
    block_p = max(1, min(triton.next_power_of_2(positions), TILE // block_c))
    vectors = {"scale_ptr": scale, "shift_ptr": shift}
    return tuple(
        Launch(
            name=name,
            kernel=norm_kernel,
            grid=((last - first) * triton.cdiv(channels, width), 1, 1),
            arguments={
                "x_ptr": x[first:last],
                **{key: vector for key, vector in vectors.items() if vector is not None},
                "out_ptr": out[first:last],
            },
            constants={
                **{key: None for key, vector in vectors.items() if vector is None},
                "POSITIONS": positions,
                "CHANNELS": channels,
                "WIDTH": width,
                "SHARED": groups is not None,
                "EPSILON": epsilon,
                "ACTIVATION": activation,
                "ALPHA": alpha if math.isfinite(alpha) else None,
                "BETA": beta if math.isfinite(beta) else None,
                "BLOCK_P": block_p,
                "BLOCK_C": block_c,
            },
            num_warps=min(4, warps_for(block_p * block_c)),
            num_stages=1,
        )
        for first, last in batch_ranges(samples, positions * channels)
    )


def instance_norm(
    x: Tensor,
    scale: Tensor | None = None,
    shift: Tensor | None = None,
    epsilon: float = 1e-5,
    *,
    groups: int | None = None,
    activation: str = "none",
    alpha: float = 0.0,
    beta: float = 0.0,
    out: Tensor | None = None,
) -> Tensor:
    """Over the positions of each channel, or of each of `groups` runs of channels (group norm).

    x [batch, *spatial, channels], scale and shift [channels] or None. ValueError if they do not
    fit, for an unknown activation, for a group of more than 16384 channels, and as `check`.
    """
    _check(x, scale, shift, activation, least=2)
    channels = x.shape[-1]
    if groups is not None and (groups < 1 or channels % groups):
        raise ValueError(f"groups={groups} must divide the {channels} channels")
    _check_width(channels // groups if groups else 1)
    out = output(out, x.shape, x, scale, shift, in_place=True)
    name = "instance_norm" if groups is None else "group_norm"
    for launch in norm_launches(
        name,
        x,
        scale,
        shift,
        out,
        groups=groups,
        epsilon=epsilon,
        activation=activation,
        alpha=alpha,
        beta=beta,
    ):
        launch.run()
    return out


def layer_norm(
    x: Tensor,
    scale: Tensor | None = None,
    shift: Tensor | None = None,
    epsilon: float = 1e-5,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Over the last axis: x [..., channels], scale and shift [channels] or None.

    ValueError as `instance_norm`, with all channels in one group.
    """
    _check(x, scale, shift, "none", least=1)
    _check_width(x.shape[-1])
    out = output(out, x.shape, x, scale, shift, in_place=True)
    if not x.numel():
        return out
    rows = (-1, x.shape[-1])
    for launch in norm_launches(
        "layer_norm", x.view(rows), scale, shift, out.view(rows), groups=1, epsilon=epsilon
    ):
        launch.run()
    return out


def _check(
    x: Tensor, scale: Tensor | None, shift: Tensor | None, activation: str, least: int
) -> None:
    vectors = {"scale": scale, "shift": shift}
    given = {name: vector for name, vector in vectors.items() if vector is not None}
    check(x=x, **given)
    if x.ndim < least:
        raise ValueError(f"x {tuple(x.shape)} must have at least {least} axes, channels last")
    for name, vector in given.items():
        if tuple(vector.shape) != (x.shape[-1],):
            raise ValueError(f"{name} {tuple(vector.shape)} must be {(x.shape[-1],)}")
    if activation not in FUNCTIONS:
        raise ValueError(f"activation {activation!r} is not one of {', '.join(sorted(FUNCTIONS))}")


def _check_width(width: int) -> None:
    if width > MOST_CHANNELS:
        raise ValueError(f"{width} channels share statistics; at most {MOST_CHANNELS} may")
