"""Places of all buffers of a native network in the arena of one micro-batch."""

from __future__ import annotations

from collections.abc import Sequence

from engine.backends._native.forms import Buffer, Tensor
from engine.backends._native.steps import Step
from engine.program.planning import arena
from kernels.native.network import Space, Value


class Places:
    """Where each buffer lies, and the bytes of the arena."""

    def __init__(
        self, steps: Sequence[Step], buffers: Sequence[Buffer], start: int, capacity: int
    ) -> None:
        """Steps from `start` on run in turns, so that what they touch is alive at once."""
        placed = arena.place(_lives(steps, buffers, start, capacity))
        self._buffers = buffers
        self._offsets = {int(buffer.values[0]): buffer.offset for buffer in placed}
        self.arena_bytes = max((buffer.offset + buffer.size for buffer in placed), default=0)

    def value(self, tensor: Tensor) -> Value:
        """A tensor in its place."""
        buffer = self._buffers[tensor.buffer]
        inside = buffer.space == Space.ARENA
        return tensor.at(buffer.space, self._offsets[tensor.buffer] if inside else buffer.number)


def _lives(
    steps: Sequence[Step], buffers: Sequence[Buffer], start: int, capacity: int
) -> list[arena.Buffer]:
    sizes: dict[int, int] = {}
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for number, step in enumerate(steps):
        for tensor in (*step.outputs, *step.inputs):
            key = tensor.buffer
            sizes[key] = max(sizes.get(key, 0), tensor.bytes(capacity))
            first.setdefault(key, min(number, start))
            last[key] = len(steps) if number >= start else number
    return [
        arena.Buffer((str(key),), arena.aligned(size), first[key], last[key])
        for key, size in sizes.items()
        if buffers[key].space == Space.ARENA
    ]
