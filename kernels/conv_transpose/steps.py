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
    """The constants of a kernel over shifted axes, outermost first: SIZE_0, .., ROW_STARTS.

    ROW_STARTS has the bits of steps that begin a row of steps (along the last axis), and
    PLANE_STARTS of those that begin a plane (along the last two), but not the very first.
    """
    constants: dict[str, Constant] = {}
    for i, axis in enumerate(axes):
        constants |= {
            f"SIZE_{i}": axis.inputs,
            f"OUT_{i}": axis.outputs,
            f"FIRST_{i}": axis.first,
            f"COUNT_{i}": axis.count,
            f"STEPS_{i}": axis.steps,
            f"SPACING_{i}": axis.spacing,
            f"PHASES_{i}": axis.phases,
            f"SHIFT_{i}": axis.shift,
        }
    steps = math.prod(axis.steps for axis in axes)
    row = axes[-1].steps
    constants["ROW_STARTS"] = _every(row, steps)
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
    SIZE_0: tl.constexpr,
    SIZE_1: tl.constexpr,
    SIZE_2: tl.constexpr,
    STEPS_0: tl.constexpr,
    STEPS_1: tl.constexpr,
    STEPS_2: tl.constexpr,
    SPACING_0: tl.constexpr,
    SPACING_1: tl.constexpr,
    SPACING_2: tl.constexpr,
):
    """A bit for every step, the last axis fastest, whose input lies outside the map."""
    outside_0 = _axis_outside(m_0, SIZE_0, STEPS_0, SPACING_0)
    outside_1 = _axis_outside(m_1, SIZE_1, STEPS_1, SPACING_1)
    outside_2 = _axis_outside(m_2, SIZE_2, STEPS_2, SPACING_2)
    ROW: tl.constexpr = (1 << STEPS_2) - 1
    outside = m_2 * 0
    for step_0 in tl.static_range(STEPS_0):
        for step_1 in tl.static_range(STEPS_1):
            row_outside = ((outside_0 >> step_0) | (outside_1 >> step_1)) & 1
            steps = tl.where(row_outside != 0, ROW, outside_2)
            outside |= steps << ((step_0 * STEPS_1 + step_1) * STEPS_2)
    return outside
