"""A native network from Python: values, operations, an order of work, and runs."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from kernels.container import processors
from kernels.geometry import Geometry
from kernels.native.library import CItem, COperation, COptions, CValue, load
from kernels.native.parallel import Lent, Parallel

Array = NDArray[Any]

# Lanes and rows are stored in steps of this many images.
IMAGE_STEP = 16
# Channels of a block of ROWS and PLAIN16; absent ones are zero.
CHANNEL_BLOCK = 32
ACTIVATIONS = ("none", "relu", "leaky_relu", "tanh", "sigmoid")
# What `elementwise` can do, in the order of gk::Function.
FUNCTIONS = (
    *ACTIVATIONS,
    *("elu", "celu", "selu", "softplus", "softsign", "mish", "silu", "gelu", "gelu_tanh"),
    *("hard_sigmoid", "hard_swish", "thresholded_relu", "clip", "exp", "log", "sqrt"),
    *("reciprocal", "abs", "neg", "erf", "sin", "cos", "power", "floor", "ceil", "round", "sign"),
)


class Form(IntEnum):
    """How a value of a micro-batch lies in memory (gk_form)."""

    LANES = 0
    ROWS = 1
    PLAIN = 2
    PLAIN16 = 3
    INDEX = 4
    IMAGES = 5
    PLANES = 6


class Space(IntEnum):
    """Where a value lies (gk_space)."""

    ARENA = 0
    INPUT = 1
    OUTPUT = 2


_TYPES: dict[Form, np.dtype[Any]] = {
    Form.PLAIN: np.dtype(np.float32),
    Form.INDEX: np.dtype(np.int64),
    Form.IMAGES: np.dtype(np.uint8),
    Form.PLANES: np.dtype(np.float32),
}


@dataclass(frozen=True, slots=True)
class Value:
    """A value: its form, its place (byte of the arena, or number of an argument), its sizes."""

    form: Form
    space: Space
    offset: int
    positions: int
    channels: int

    def bytes(self, capacity: int) -> int:
        """Bytes of a micro-batch of `capacity` images."""
        blocks = -(-self.channels // CHANNEL_BLOCK) * CHANNEL_BLOCK
        if self.form in (Form.ROWS, Form.PLAIN16):
            return capacity * self.positions * blocks * 2
        item = {Form.LANES: 4, Form.PLAIN: 4, Form.INDEX: 8, Form.IMAGES: 1, Form.PLANES: 4}
        return capacity * self.positions * self.channels * item[self.form]


class _Argument(NamedTuple):
    """What an array of the caller must be: its type, and elements of an image."""

    dtype: np.dtype[Any]
    elements: int


@dataclass(frozen=True, slots=True)
class Item:
    """Rows begin .. end - 1 of the outermost axis of an operation's output."""

    operation: int
    begin: int
    end: int


def geometry_integers(geometry: Geometry) -> list[int]:
    """A geometry as the integers that every convolution kind begins with."""
    return [
        int(geometry.direction == "transposed"),
        geometry.rank,
        *geometry.input_size,
        *geometry.output_size,
        *geometry.kernel,
        *geometry.stride,
        *geometry.padding,
        *geometry.dilation,
    ]


class _Handle:
    """The library's network, freed with the last reference: a run holds one of its own.

    So it may be closed while another thread runs it; and there is no lock that a forked child could
    find locked.
    """

    __slots__ = ("_library", "address")

    def __init__(self, library: ctypes.CDLL, address: int) -> None:
        self._library = library
        self.address = address

    def __del__(self) -> None:
        self._library.gk_free(self.address)


class Network:
    """Operations on micro-batches of `capacity` images.

    team: all threads share each operation of one micro-batch, else each owns whole micro-batches
    as long as there is one for every thread.
    instruction_set: the one to use; None is the best of the processor. parallel: runs the tasks of
    as many workers as there are `threads`; None takes threads of the network's own. Raises
    ValueError, MemoryError, and what `kernels.native.library.load` raises.
    """

    def __init__(
        self,
        capacity: int,
        arena_bytes: int,
        *,
        threads: int | None = None,
        team: bool = False,
        instruction_set: str | None = None,
        parallel: Parallel | None = None,
    ) -> None:
        self._library = load()
        self.threads = threads or processors()
        # As long as the network, which calls it.
        self._lent = Lent(parallel)
        options = COptions(
            capacity,
            self.threads,
            int(team),
            arena_bytes,
            instruction_set.encode() if instruction_set else None,
            self._lent.callback,
        )
        address = self._library.gk_new(ctypes.byref(options))
        if not address:
            raise self._failure()
        self._handle: _Handle | None = _Handle(self._library, address)
        self._arguments: dict[Space, dict[int, _Argument]] = {Space.INPUT: {}, Space.OUTPUT: {}}

    def add(
        self,
        kind: str,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        *,
        integers: Sequence[int] = (),
        numbers: Sequence[float] = (),
        arrays: Sequence[Array | None] = (),
        name: str = "",
    ) -> int:
        """Add an operation and pack its weights [any shape, float32]; gives its number."""
        kept = [None if a is None else np.ascontiguousarray(a, np.float32) for a in arrays]
        operation = COperation(
            kind.encode(),
            (name or kind).encode(),
            _values(inputs),
            _values(outputs),
            (ctypes.c_int64 * len(integers))(*integers),
            (ctypes.c_double * len(numbers))(*numbers),
            (ctypes.c_void_p * len(kept))(*[None if a is None else a.ctypes.data for a in kept]),
            (ctypes.c_int64 * len(kept))(*[0 if a is None else a.size for a in kept]),
            len(inputs),
            len(outputs),
            len(integers),
            len(numbers),
            len(kept),
        )
        number: int = self._call(self._library.gk_add, ctypes.byref(operation))
        if number < 0:
            raise self._failure()
        for value in (*inputs, *outputs):
            if value.space != Space.ARENA:
                self._describe(value)
        return number

    def _describe(self, value: Value) -> None:
        described = _Argument(_TYPES[value.form], value.positions * value.channels)
        known = self._arguments[value.space].setdefault(value.offset, described)
        if known != described:
            raise ValueError(
                f"{value.space.name.lower()} {value.offset} is described as {known} and as "
                f"{described}"
            )

    def granularity(self, operation: int) -> int:
        """Rows of an operation that go together: items begin and end at multiples, or at the end.

        Raises ValueError for an operation that there is not.
        """
        rows: int = self._call(self._library.gk_granularity, operation)
        if rows < 0:
            raise self._failure()
        return rows

    def schedule(self, items: Sequence[Item]) -> None:
        """Set the order of work. Raises ValueError for rows that it cannot run."""
        packed = (CItem * len(items))(*[CItem(i.operation, i.begin, i.end) for i in items])
        if self._call(self._library.gk_schedule, packed, len(items)) < 0:
            raise self._failure()

    def run(
        self, images: int, inputs: Sequence[Array], outputs: Sequence[Array]
    ) -> NDArray[np.bool_]:
        """Run on arrays [images, ...] of the types of their values; outputs are overwritten.

        Gives [images]: whether all stored numbers of an image were finite. Raises ValueError for an
        array that is not contiguous or not what was described, or is to be written and must not
        be; MemoryError and RuntimeError for what the machine lacks, memory or threads; and what
        `parallel` raises.
        """
        finite = np.empty(images, np.bool_)
        status = self._call(
            self._library.gk_run,
            images,
            self._pointers(Space.INPUT, inputs, images),
            self._pointers(Space.OUTPUT, outputs, images),
            finite.ctypes.data,
        )
        failure = self._lent.failure()
        if failure is not None:
            raise failure
        if status < 0:
            raise self._failure(RuntimeError)
        return finite

    @property
    def weight_bytes(self) -> int:
        """Bytes of packed weights."""
        return int(self._call(self._library.gk_weight_bytes))

    @property
    def workspace_bytes(self) -> int:
        """Bytes of the arenas and scratch memory of all workers."""
        return int(self._call(self._library.gk_workspace_bytes))

    def close(self) -> None:
        """Free it, once the runs of other threads have ended; a second call does nothing."""
        self._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, function: Any, *arguments: Any) -> Any:
        handle = self._handle
        if handle is None:
            raise ValueError("the network is closed")
        return function(handle.address, *arguments)

    def _failure(self, kind: type[Exception] = ValueError) -> Exception:
        message = self._library.gk_error().decode()
        return MemoryError(message) if message == "out of memory" else kind(message)

    def _pointers(self, space: Space, arrays: Sequence[Array], images: int) -> Any:
        # Before a single image this takes its part of the time: so it is plain.
        for number, (dtype, elements) in self._arguments[space].items():
            if number >= len(arrays):
                raise ValueError(f"{space.name.lower()} {number} is missing")
            array = arrays[number]
            if (
                array.dtype != dtype
                or array.size != images * elements
                or not array.flags.c_contiguous
            ):
                raise _mismatch(f"{space.name.lower()} {number}", array, dtype, images, elements)
            if space == Space.OUTPUT and not array.flags.writeable:
                raise ValueError(f"output {number} is read-only")
        return (ctypes.c_void_p * len(arrays))(*[array.ctypes.data for array in arrays])


def _values(values: Sequence[Value]) -> Any:
    return (CValue * len(values))(
        *[CValue(v.form, v.space, v.offset, v.positions, v.channels) for v in values]
    )


def _mismatch(
    what: str, array: Array, dtype: np.dtype[Any], images: int, elements: int
) -> ValueError:
    if not array.flags.c_contiguous:
        return ValueError(f"{what} is not contiguous")
    return ValueError(
        f"{what} is {array.dtype} {list(array.shape)}, not {dtype} of {images} images of "
        f"{elements} numbers"
    )
