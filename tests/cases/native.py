"""One native operation in a network of its own, run beside garbage and between canaries."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.native.network import Form, Item, Network, Space, Value

Array = NDArray[Any]

# A multiple of both the vectors of every instruction set and of a page.
_ALIGN = 4096
_CANARY = 0xA5
_CANARY_BYTES = 256


def sizes(shape: Sequence[int]) -> tuple[int, int]:
    """Positions and channels of a value of this shape, which leaves the batch out."""
    return (math.prod(shape[:-1]), shape[-1]) if shape else (1, 1)


class Arena:
    """Values one after the other in a worker's arena."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.bytes = capacity, 0

    def value(self, form: Form, shape: Sequence[int]) -> Value:
        """A new value of this shape."""
        value = Value(form, Space.ARENA, self.bytes, *sizes(shape))
        self.bytes += -(-value.bytes(self.capacity) // _ALIGN) * _ALIGN + _ALIGN
        return value


def guarded(shape: Sequence[int], dtype: Any) -> tuple[Array, Array]:
    """An output full of NaN (bytes: of 0x7F), and the memory around it, full of canaries."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.full(size + 2 * _CANARY_BYTES, _CANARY, np.uint8)
    inside = memory[_CANARY_BYTES : _CANARY_BYTES + size].view(dtype).reshape(shape)
    inside[...] = 0x7F if dtype == np.uint8 else np.nan
    return inside, memory


def check_canaries(memory: Array) -> None:
    """Assert that nothing was written around an output of `guarded`."""
    assert (memory[:_CANARY_BYTES] == _CANARY).all(), "written before the output"
    assert (memory[-_CANARY_BYTES:] == _CANARY).all(), "written after the output"


def run_operation(
    kind: str,
    inputs: Sequence[Array],
    output: Sequence[int] | Sequence[Sequence[int]],
    *,
    form: Form,
    capacity: int,
    instruction_set: str,
    integers: Sequence[int] = (),
    numbers: Sequence[float] = (),
    arrays: Sequence[Array | None] = (),
    rows: int = 1,
    threads: int = 1,
    team: bool = False,
) -> Array | tuple[Array, ...]:
    """Run on inputs [images, *shape] (int64: labels), converted to `form` and back to float32.

    `output` is the shape of the output, or those of all outputs. With `rows` above 1 the operation
    runs a row at a time, last row first. Before the run asked for, a run of NaN fills the arena of
    the worker, so that what absent images hold is NaN.
    """
    many = bool(output) and not isinstance(output[0], int)
    shapes: Any = output if many else [output]
    images, arena = len(inputs[0]), Arena(capacity)
    stored = [Form.INDEX if x.dtype == np.int64 else Form.PLAIN for x in inputs]
    callers = [
        Value(
            place, Space.INPUT, i, *sizes((*x.shape[1:], 1) if x.dtype == np.int64 else x.shape[1:])
        )
        for i, (x, place) in enumerate(zip(inputs, stored, strict=True))
    ]
    sources = [
        caller if caller.form == Form.INDEX else arena.value(form, x.shape[1:])
        for caller, x in zip(callers, inputs, strict=True)
    ]
    results = [arena.value(form, shape) for shape in shapes]
    with Network(
        capacity, arena.bytes, threads=threads, team=team, instruction_set=instruction_set
    ) as network:
        items = []
        for caller, source in zip(callers, sources, strict=True):
            if source is not caller:
                items.append(Item(convert(network, caller, source), 0, 1))
        number = network.add(
            kind, sources, results, integers=integers, numbers=numbers, arrays=arrays
        )
        items += [Item(number, row, row + 1) for row in reversed(range(rows))]
        for i, (result, shape) in enumerate(zip(results, shapes, strict=True)):
            back = Value(Form.PLAIN, Space.OUTPUT, i, *sizes(shape))
            items.append(Item(convert(network, result, back), 0, 1))
        network.schedule(items)
        garbage = [
            np.zeros((capacity, *x.shape[1:]), np.int64)
            if x.dtype == np.int64
            else np.full((capacity, *x.shape[1:]), np.nan, np.float32)
            for x in inputs
        ]
        network.run(
            capacity, garbage, [np.empty((capacity, *shape), np.float32) for shape in shapes]
        )
        outputs = [guarded((images, *shape), np.float32) for shape in shapes]
        network.run(images, [np.ascontiguousarray(x) for x in inputs], [x for x, _ in outputs])
    for _, memory in outputs:
        check_canaries(memory)
    return tuple(x for x, _ in outputs) if many else outputs[0][0]


def convert(network: Network, source: Value, target: Value, rows: int = 1) -> int:
    """Add a conversion; gives its number."""
    ranged = (-1.0, 1.0) if target.form == Form.IMAGES else ()
    return network.add("convert", [source], [target], integers=[rows], numbers=ranged)


def assert_close(actual: Array, expected: Array, bound: float, scale: float | None = None) -> None:
    """Assert that finite numbers are within bound * scale (the largest expected magnitude).

    NaN and infinities must stand where they are expected.
    """
    assert actual.shape == expected.shape
    finite = np.isfinite(expected)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(actual[~finite], expected.astype(np.float32)[~finite])
    assert np.isfinite(actual[finite]).all(), "not finite where it should be"
    if finite.any():
        size = np.abs(expected[finite]).max() if scale is None else scale
        error = np.abs(actual[finite].astype(np.float64) - expected[finite]).max()
        assert error <= bound * size, f"error {error:.3g} of {size:.3g}: {error / size:.3g}"
