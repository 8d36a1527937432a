"""The order of work: whole steps, and a chain of layers at the end a few rows at a time.

The last layers of a generator write the largest maps. Run whole, each would push the map of the one
before out of the cache; run in bands of rows, what one writes is still there when the next reads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.backends._native.steps import Step
from kernels.native.network import Item

# The cache holds a band's inputs and outputs, the weights of the chain, and what else is about.
_SHARE_OF_CACHE = 0.5
# A layer whose weights take more would read them from further away once a band.
_SHARE_OF_WEIGHTS = 0.25


def chain_start(steps: Sequence[Step], capacity: int, cache_bytes: int) -> int:
    """The first step of the chain that is worth bands; the number of steps if none is."""
    last = len(steps) - 1
    first = len(steps)
    for number in range(last, -1, -1):
        step = steps[number]
        light = step.weight_bytes <= cache_bytes * _SHARE_OF_WEIGHTS
        if step.rows == 1 or not light or not _continues(steps, number, first):
            break
        first = number
    # One step alone reads what is elsewhere; and small maps stay in the cache as they are.
    between = sum(_bytes(step, capacity) for step in steps[first:last])
    worth = last - first >= 1 and between > cache_bytes * _SHARE_OF_CACHE
    return first if worth else len(steps)


def schedule(
    steps: Sequence[Step], start: int, capacity: int, cache_bytes: int
) -> tuple[Item, ...]:
    """Steps before `start` whole, the rest in bands of rows of the last; none if all are whole."""
    if start == len(steps):
        return ()
    items = [Item(number, 0, rows_of(step, False)) for number, step in enumerate(steps[:start])]
    done = dict.fromkeys(range(start, len(steps)), 0)
    last = len(steps) - 1
    band = _band(steps, start, capacity, cache_bytes)
    for begin in range(0, steps[last].rows, band):
        wanted = _wanted(steps, start, min(begin + band, steps[last].rows))
        for number in range(start, len(steps)):
            end = max(done[number], wanted[number])
            if end > done[number]:
                items.append(Item(number, done[number], end))
                done[number] = end
    return tuple(items)


def rows_of(step: Step, banded: bool) -> int:
    """Rows that the network's operation has: kinds that are told have one unless in bands."""
    return 1 if step.rows_first and not banded else step.rows


def _continues(steps: Sequence[Step], number: int, first: int) -> bool:
    """Whether a step makes what the chain reads, row for row as the chain counts them."""
    if first == len(steps):
        return True
    made = {tensor.buffer for tensor in steps[number].outputs}
    readers = [
        step for step in steps[number + 1 :] if made & {tensor.buffer for tensor in step.inputs}
    ]
    return bool(readers) and all(step.input_rows == steps[number].rows for step in readers)


def _wanted(steps: Sequence[Step], start: int, end: int) -> Mapping[int, int]:
    """How many rows of each step of the chain rows 0 .. end - 1 of the last one need."""
    wanted = dict.fromkeys(range(start, len(steps)), 0)
    wanted[len(steps) - 1] = end
    makers = {tensor.buffer: number for number in wanted for tensor in steps[number].outputs}
    for number in range(len(steps) - 1, start - 1, -1):
        step = steps[number]
        rows = -(-wanted[number] // step.grain) * step.grain
        wanted[number] = rows = min(rows, step.rows)
        for tensor in step.inputs:
            maker = makers.get(tensor.buffer)
            if maker is not None:
                wanted[maker] = max(wanted[maker], step.reads(rows))
    return wanted


def _band(steps: Sequence[Step], start: int, capacity: int, cache_bytes: int) -> int:
    """Rows of the last step in one band: as many as keep the band of the chain in the cache."""
    last = steps[-1]
    weights = sum(step.weight_bytes for step in steps[start:])
    moving = sum(_bytes(step, capacity) for step in steps[start:])
    room = max(cache_bytes * _SHARE_OF_CACHE - weights, cache_bytes * _SHARE_OF_WEIGHTS)
    rows = int(last.rows * room / moving)
    return min(max(1, rows // last.grain) * last.grain, last.rows)


def _bytes(step: Step, capacity: int) -> int:
    return sum(tensor.bytes(capacity) for tensor in step.outputs)
