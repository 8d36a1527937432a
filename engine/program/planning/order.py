"""An order of the operations that keeps little alive."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from engine.program.graph import Operation, Program

Bytes = Callable[[str], int]


def schedule(program: Program, size: Bytes) -> tuple[tuple[Operation, ...], str]:
    """The program's own order, or a greedy one if its peak is lower; with the reason.

    Greedy: of all operations that can run, the one after which least is alive.
    """
    given = program.operations
    greedy = _greedy(program, size)
    before, after = (peak(program, order, size) for order in (given, greedy))
    if after < before:
        return greedy, f"reordered: {after} bytes a sample alive at most, {before} as it was"
    return given, f"as lowered: {before} bytes a sample alive at most"


def peak(program: Program, order: Sequence[Operation], size: Bytes) -> int:
    """The most bytes of values alive at once, each its own buffer, without sharing."""
    left = _readers(program)
    alive = sum(size(value.name) for value in program.inputs)
    most = alive
    for operation in order:
        alive += sum(size(name) for name in operation.outputs if name)
        most = max(most, alive)
        alive -= _freed(operation, left, size)
    return most


def _greedy(program: Program, size: Bytes) -> tuple[Operation, ...]:
    left = _readers(program)
    ready = {value.name for value in program.inputs}
    waiting = list(program.operations)
    order: list[Operation] = []
    while waiting:
        candidates = [
            (_growth(operation, left, size), place)
            for place, operation in enumerate(waiting)
            if all(name in ready for name in operation.inputs if name)
        ]
        _, place = min(candidates)
        operation = waiting.pop(place)
        _freed(operation, left, size)
        ready.update(name for name in operation.outputs if name)
        order.append(operation)
    return tuple(order)


def _growth(operation: Operation, left: Mapping[str, float], size: Bytes) -> int:
    made = sum(size(name) for name in operation.outputs if name)
    reads = Counter(name for name in operation.inputs if name)
    return made - sum(size(name) for name, times in reads.items() if left[name] == times)


def _freed(operation: Operation, left: dict[str, float], size: Bytes) -> int:
    """Count an operation's reads down, and give the bytes that nobody needs any more."""
    freed = 0
    for name in filter(None, operation.inputs):
        left[name] -= 1
        freed += size(name) if left[name] == 0 else 0
    # What nobody reads is gone at once.
    return freed + sum(size(name) for name in operation.outputs if name and not left.get(name))


def _readers(program: Program) -> dict[str, float]:
    """How often each value is read; outputs for ever."""
    left: dict[str, float] = dict.fromkeys(program.values, 0.0)
    for operation in program.operations:
        for name in filter(None, operation.inputs):
            left[name] = left[name] + 1
    for value in program.outputs:
        left[value.name] = math.inf
    return left
