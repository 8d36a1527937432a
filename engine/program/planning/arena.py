"""One arena for all values: who shares a buffer, how long it lives, where it lies.

Sizes and offsets are those of one sample. For a batch they are multiplied by it, which keeps them
apart and aligned, so that one plan serves every batch.

Placement is greedy by size (Pisarchyk, Lee: Efficient memory management for deep neural net
inference, 2020): the largest buffer first, each at the lowest offset that is free for its life.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.program.graph import (
    Add,
    Affine,
    Binary,
    Elementwise,
    Operation,
    PRelu,
    Program,
    Reshape,
)
from engine.program.planning.types import ELEMENT_BYTES, ElementType

ALIGNMENT = 64
# Each element of the output depends on the same element of the inputs alone.
_IN_PLACE = (Elementwise, Affine, PRelu, Add, Binary)


@dataclass(frozen=True, slots=True)
class Buffer:
    """Bytes offset .. offset + size of a sample, written in step `first`, read until `last`.

    Inputs are written in step -1, and kept; both they and outputs live to the step after the last.
    """

    values: tuple[str, ...]
    size: int
    first: int
    last: int
    offset: int = 0

    def meets(self, other: Buffer) -> bool:
        """Whether both are alive in some step."""
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Arena:
    """Placed buffers, the bytes of a sample they take, and the least that any placement could."""

    buffers: tuple[Buffer, ...]
    size: int
    lower_bound: int

    def of(self, value: str) -> Buffer:
        """The buffer that a value lies in."""
        return next(buffer for buffer in self.buffers if value in buffer.values)


def make_arena(
    program: Program, order: Sequence[Operation], types: Mapping[str, ElementType]
) -> Arena:
    """Share, time and place the buffers of all values."""
    buffers = place(_buffers(program, order, types))
    steps = range(-1, len(order) + 1)
    alive = (sum(b.size for b in buffers if b.first <= step <= b.last) for step in steps)
    size = max((buffer.offset + buffer.size for buffer in buffers), default=0)
    return Arena(buffers, size, max(alive, default=0))


def _buffers(
    program: Program, order: Sequence[Operation], types: Mapping[str, ElementType]
) -> list[Buffer]:
    owner = _owners(program, order, types)
    first = {value.name: -1 for value in program.inputs}
    last: dict[str, int] = {}
    for step, operation in enumerate(order):
        for name in filter(None, operation.outputs):
            first.setdefault(owner[name], step)
            last[owner[name]] = step
        for name in filter(None, operation.inputs):
            last[owner[name]] = step
    # Inputs stay as they are, so that the same launches can be run again.
    for value in (*program.inputs, *program.outputs):
        last[owner[value.name]] = len(order)
    groups: dict[str, list[str]] = {}
    for name in owner:
        groups.setdefault(owner[name], []).append(name)
    return [
        Buffer(tuple(names), _bytes(program, types, root), first[root], last[root])
        for root, names in groups.items()
    ]


def _owners(
    program: Program, order: Sequence[Operation], types: Mapping[str, ElementType]
) -> dict[str, str]:
    """For each value, the value in whose buffer it lies: its own, or that of an input."""
    last_read = {name: step for step, op in enumerate(order) for name in op.inputs if name}
    kept = {value.name for value in program.inputs} | {value.name for value in program.outputs}
    owner = {value.name: value.name for value in program.inputs}
    members: dict[str, set[str]] = {value.name: {value.name} for value in program.inputs}
    for step, operation in enumerate(order):
        outputs = [name for name in operation.outputs if name]
        shared = ""
        if len(outputs) == 1:
            shared = _shared(operation, program, types)
            # A reshape is the same bytes; whatever writes needs a buffer that nobody else reads.
            if shared and not isinstance(operation, Reshape):
                others = members[owner[shared]]
                dying = all(last_read.get(name, -1) <= step for name in others)
                shared = shared if dying and not others & kept else ""
        for name in outputs:
            root = owner[shared] if shared else name
            owner[name] = root
            members.setdefault(root, set()).add(name)
    return owner


def _shared(operation: Operation, program: Program, types: Mapping[str, ElementType]) -> str:
    """The first input whose bytes the output could take, or ''."""
    if not isinstance(operation, (Reshape, *_IN_PLACE)):
        return ""
    made = operation.outputs[0]
    elements = math.prod(program.values[made].shape)
    return next(
        (
            name
            for name in operation.inputs
            if types[name] == types[made] and math.prod(program.values[name].shape) == elements
        ),
        "",
    )


def place(buffers: Iterable[Buffer]) -> tuple[Buffer, ...]:
    """Give buffers offsets at which those that meet are apart; sizes must keep the alignment."""
    placed: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda item: (-item.size, item.first, item.values)):
        offset = 0
        for other in sorted(placed, key=lambda item: item.offset):
            if not other.meets(buffer):
                continue
            if offset + buffer.size <= other.offset:
                break
            offset = max(offset, other.offset + other.size)
        placed.append(Buffer(buffer.values, buffer.size, buffer.first, buffer.last, offset))
    return tuple(sorted(placed, key=lambda item: (item.first, item.offset)))


def aligned(size: int) -> int:
    """The next multiple of the alignment."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def _bytes(program: Program, types: Mapping[str, ElementType], name: str) -> int:
    return aligned(math.prod(program.values[name].shape) * ELEMENT_BYTES[types[name]])
