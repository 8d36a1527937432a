"""Which rows of its input a window needs."""

from __future__ import annotations

from kernels.geometry import Geometry


def rows_read(geometry: Geometry, end: int) -> int:
    """Rows of the input, from the first, that rows 0 .. end - 1 of the output need."""
    if not geometry.rank:
        return 1
    needed = (row for out in range(end) for _, row in geometry.inputs_of(0, out))
    return 1 + max(needed, default=-1)


def phases(geometry: Geometry) -> int:
    """How many phases rows of the output have: those of one are `phases` rows apart."""
    transposed = geometry.direction == "transposed" and geometry.rank > 0
    return geometry.stride[0] if transposed else 1
