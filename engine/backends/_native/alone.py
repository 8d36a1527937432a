"""Which Programs take the path of few images at any batch size."""

from __future__ import annotations

from collections.abc import Mapping

from engine.program.graph import Convolution, Program
from kernels.geometry import Geometry

# Fewer positions use each weight too seldom where vectors run along channels: of 1 to 16 positions
# 0.76 to 1.05 times as fast as lanes, of 196 and more 1.22 to 1.6 times (one thread, AVX-512).
_FEWEST_POSITIONS = 128
# Images of a micro-batch: all workers share each.
MOST_TOGETHER = 64


def alone(programs: Mapping[str, Program]) -> bool:
    """Whether there is one float32 convolution and nothing else, which Winograd does not serve.

    Between arrays of the caller images as lanes cost two conversions, and gain nothing there.
    """
    operations = [operation for program in programs.values() for operation in program.operations]
    if len(operations) != 1 or not isinstance(operations[0], Convolution):
        return False
    geometry = operations[0].geometry
    many = geometry.positions_in >= _FEWEST_POSITIONS
    return operations[0].groups == 1 and many and not _has_pairs(geometry)


def _has_pairs(geometry: Geometry) -> bool:
    """Whether some outputs meet two neighbouring inputs along an axis: F(4, 2) takes these."""
    transposed = geometry.direction == "transposed"
    return any(
        2 in {len(range(phase, kernel, stride)) for phase in range(stride)}
        for kernel, stride in zip(
            geometry.kernel, geometry.stride if transposed else (1,) * geometry.rank, strict=True
        )
    )
