"""An output row of an image as one stretch of elements (pixel, channel), cut into chunks."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kernels.conv_transpose.problem import Problem
from kernels.conv_transpose.shifted_axis import ShiftedAxis, shifted_axes

SMALLEST_CHUNK = 16
LARGEST_CHUNK = 64


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An output row cut into chunks, in elements (pixel, channel).

    Input column i reaches elements begin(i) .. begin(i) + reach - 1, where begin(i) is
    i * column - shift.
    """

    elements: int
    column: int
    reach: int
    shift: int
    inputs: int
    lines: int
    chunk: int

    @property
    def chunks(self) -> int:
        """Chunks of a row; the last may be cut off."""
        return -(-self.elements // self.chunk)

    @property
    def period(self) -> int:
        """Columns after which they begin at the same place of a chunk again."""
        return self.chunk // math.gcd(self.chunk, self.column)

    def column_at(self, element: int) -> int:
        """The first input column that begins at an element or later."""
        return min(max(0, -(-(element + self.shift) // self.column)), self.inputs)

    def columns(self, group: int) -> int:
        """Input columns that all programs of a row multiply, those before their first chunk too."""
        total = 0
        for first in range(0, self.chunks, group):
            last = min(first + group, self.chunks)
            begin = self.column_at(first * self.chunk - self.reach + 1)
            total += max(0, self.column_at(last * self.chunk) - begin)
        return total


def image_row(problem: Problem, columns: int) -> ImageRow:
    """The output row of a problem, in chunks for a tile of at least so many columns."""
    outer_0, outer_1, width = shifted_axes(problem.geometry.as_3d())
    lines = _next_power_of_2(outer_0.phases * outer_1.phases)
    pixels = max(pixel for _, pixel in pixels_of(width)) + 1
    chunk = max(SMALLEST_CHUNK, _next_power_of_2(columns) // lines)
    while True:
        row = ImageRow(
            elements=width.outputs * problem.out_channels,
            column=width.phases * problem.out_channels,
            reach=pixels * problem.out_channels,
            shift=width.shift * problem.out_channels,
            inputs=width.inputs,
            lines=lines,
            chunk=chunk,
        )
        places = {(i * row.column - row.shift) % chunk for i in range(row.period)}
        if max(places) + row.reach <= 2 * chunk:
            return row
        chunk *= 2


def pixels_of(width: ShiftedAxis) -> list[tuple[int, int]]:
    """Pairs (tap, output pixel it meets, counted from the first that an input column reaches)."""
    return [
        (tap, width.phases * width.spacing * step + phase)
        for step in range(width.steps)
        for phase in range(width.phases)
        if (tap := width.tap(phase, step)) is not None
    ]


def _next_power_of_2(value: int) -> int:
    return 1 << max(0, value - 1).bit_length()
