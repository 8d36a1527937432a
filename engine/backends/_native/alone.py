"""Which Programs take the path of few images at any batch size."""

from __future__ import annotations

from collections.abc import Mapping

from engine.program.graph import Convolution, Program
from kernels.geometry import Geometry

# Fewer positions use each weight too seldom where vectors run along channels: of 1 to 16 positions
# 0.76 to 1.05 times as fast as lanes, of 196 and more 1.22 to 1.6 times (one thread, AVX-512).
_FEWEST_POSITIONS = 128
# Fewer output channels of a transposed convolution leave most of a vector of channels empty, and
# all taps are added at once instead: 1.2 to 2.5 times as fast as lanes.
_FEW_CHANNELS = 16
# Images of a micro-batch: all workers share each.
MOST_TOGETHER = 64


def alone(programs: Mapping[str, Program]) -> bool:
    """Whether there is one transposed convolution and nothing else, which Winograd does not serve.

    Between arrays of the caller images as lanes cost two conversions, and gain nothing there.
    """
    operations = [operation for program in programs.values() for operation in program.operations]
    if len(operations) != 1 or not isinstance(operations[0], Convolution):
        return False
    only = operations[0]
    geometry = only.geometry
    if only.groups != 1 or geometry.direction != "transposed":
        return False
    few = only.weight.shape[-1] < _FEW_CHANNELS
    return geometry.positions_in >= _FEWEST_POSITIONS and (few or not _has_pairs(geometry))


def _has_pairs(geometry: Geometry) -> bool:
    """Whether some outputs meet two and more neighbouring inputs along an axis: F(4, 2)'s pairs."""
    return any(
        kernel > stride for kernel, stride in zip(geometry.kernel, geometry.stride, strict=True)
    )
