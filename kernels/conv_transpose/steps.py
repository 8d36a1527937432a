"""The steps of a position on the shifted grid as bits: which inputs lie inside the map.

A row of a tile keeps one bit a step in an int32, made before the loop; in the loop a load is masked
by one `and` with the bit of its step.
"""

from __future__ import annotations

import math

import triton
import triton.language as tl

from kernels.conv_transpose.shifted_axis import ShiftedAxis
from kernels.launch import Constant

MOST_STEPS = 31


def step_constants(axes: tuple[ShiftedAxis, ...]) -> dict[str, Constant]:
    """The constants of a kernel over shifted axes: tuples, outermost first, and bits of steps.

    ROW_STARTS has the bits of steps that begin a row of steps (along the last axis), and
    PLANE_STARTS of those that begin a plane (along the last two), but not the very first.
    """
    steps = math.prod(axis.steps for axis in axes)
    row = axes[-1].steps
    constants: dict[str, Constant] = {
        "SIZE": tuple(axis.inputs for axis in axes),
        "OUT": tuple(axis.outputs for axis in axes),
        "FIRST": tuple(axis.first for axis in axes),
        "COUNT": tuple(axis.count for axis in axes),
        "STEPS": tuple(axis.steps for axis in axes),
        "SPACING": tuple(axis.spacing for axis in axes),
        "PHASES": tuple(axis.phases for axis in axes),
        "SHIFT": tuple(axis.shift for axis in axes),
        "ROW_STARTS": _every(row, steps),
    }
    if len(axes) == 3:
        constants["PLANE_STARTS"] = _every(axes[1].steps * row, steps)
    return constants


def _every(distance: int, count: int) -> int:
    """Bits distance, 2 * distance, .. below count."""
    return sum(1 << bit for bit in range(distance, count, distance))


@triton.jit
def _axis_outside(position, SIZE: tl.constexpr, STEPS: tl.constexpr, SPACING: tl.constexpr):
    """A bit for every step of an axis whose input lies outside the map."""
    outside = position * 0
    for step in tl.static_range(STEPS):
        source = position - SPACING * step
        outside |= tl.where((source < 0) | (source >= SIZE), 1 << step, 0)
    return outside


@triton.jit
def steps_outside(
    m_0,
    m_1,
    m_2,
    SIZE: tl.constexpr,
    STEPS: tl.constexpr,
    SPACING: tl.constexpr,
):
    """A bit for every step, the last axis fastest, whose input lies outside the map."""
    outside_0 = _axis_outside(m_0, SIZE[0], STEPS[0], SPACING[0])
    outside_1 = _axis_outside(m_1, SIZE[1], STEPS[1], SPACING[1])
    outside_2 = _axis_outside(m_2, SIZE[2], STEPS[2], SPACING[2])
    ROW: tl.constexpr = (1 << STEPS[2]) - 1
    outside = m_2 * 0
    for step_0 in tl.static_range(STEPS[0]):
        for step_1 in tl.static_range(STEPS[1]):
            row_outside = ((outside_0 >> step_0) | (outside_1 >> step_1)) & 1
            steps = tl.where(row_outside != 0, ROW, outside_2)
            outside |= steps << ((step_0 * STEPS[1] + step_1) * STEPS[2])
    return outside
