"""One axis on the shifted grid, where every phase of a transposed convolution reads the same input.

With o + shift = phases * m + phase, output o meets input m - spacing * step at the tap

    phase + phases * step      (transposed; spacing is the dilation, which needs a stride of 1)
    kernel - 1 - step          (forward with a stride of 1: one phase)

so a position m of the grid reads `steps` inputs, whatever the phase, and gives `phases` outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

from kernels.geometry import Geometry


@dataclass(frozen=True, slots=True)
class ShiftedAxis:
    """The grid of one axis: positions first .. first + count - 1."""

    inputs: int
    outputs: int
    kernel: int
    phases: int
    steps: int
    spacing: int
    shift: int
    transposed: bool

    @property
    def first(self) -> int:
        """The position of output 0."""
        return self.shift // self.phases

    @property
    def count(self) -> int:
        """Positions that give an output."""
        if not self.outputs:
            return 0
        return (self.outputs - 1 + self.shift) // self.phases - self.first + 1

    def tap(self, phase: int, step: int) -> int | None:
        """The tap of a phase and step, or None where the kernel has ended."""
        tap = phase + self.phases * step if self.transposed else self.kernel - 1 - step
        return tap if tap < self.kernel else None

    def loads(self) -> int:
        """Pairs (position, step) whose input lies inside the map."""
        return sum(
            0 <= position - self.spacing * step < self.inputs
            for position in range(self.first, self.first + self.count)
            for step in range(self.steps)
        )


def shifted_axes(geometry: Geometry) -> tuple[ShiftedAxis, ...]:
    """The axes of a geometry that `refusal` lets through, outermost first."""
    return tuple(
        _axis(geometry.direction == "transposed", *values)
        for values in zip(
            geometry.input_size,
            geometry.output_size,
            geometry.kernel,
            geometry.stride,
            geometry.padding,
            geometry.dilation,
            strict=True,
        )
    )


def refusal(geometry: Geometry) -> str | None:
    """Why a geometry has no shifted grid, or None."""
    for stride, dilation in zip(geometry.stride, geometry.dilation, strict=True):
        if geometry.direction == "forward" and stride > 1:
            return f"stride={geometry.stride} of a forward convolution skips inputs"
        if stride > 1 and dilation > 1:
            return (
                f"dilation={geometry.dilation} with stride={geometry.stride}: "
                f"the phases do not read the same inputs"
            )
    return None


def _axis(
    transposed: bool,
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
) -> ShiftedAxis:
    return ShiftedAxis(
        inputs=inputs,
        outputs=outputs,
        kernel=kernel,
        phases=stride,
        steps=-(-kernel // stride),
        spacing=dilation,
        shift=padding if transposed else dilation * (kernel - 1) - padding,
        transposed=transposed,
    )
