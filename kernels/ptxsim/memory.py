"""Global memory: one arena with red zones around every buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.errors import SimulationError
from kernels.ptxsim.formats import UNSIGNED, Array

if TYPE_CHECKING:
    from kernels.ptxsim.trace import Trace

BASE = 0x7F0000000000
# Where kernel parameters appear to be; tensor maps passed by value are addressed here.
PARAMETER_BASE = 0x600000000000
RED_ZONE_BYTES = 4096
_RED = 0xCD


class Arena:
    """Buffers at their simulated addresses. Reads and writes outside of them raise.

    Buffers are copied in by `freeze` and copied back by `write_back`.
    """

    def __init__(self) -> None:
        self.buffers: list[tuple[int, Array]] = []
        self.bytes = RED_ZONE_BYTES
        self.trace: Trace | None = None
        self.data = np.zeros(0, np.uint8)
        self._valid = np.zeros(0, np.bool_)
        self._views: dict[int, Array] = {}

    def add(self, array: Array) -> int:
        """Give a contiguous array a place; returns its address, a multiple of 256."""
        if not array.flags.c_contiguous:
            raise ValueError(f"a buffer of shape {array.shape} is not contiguous")
        offset = self.bytes
        self.buffers.append((offset, array))
        self.bytes = (offset + array.nbytes + RED_ZONE_BYTES + 255) & ~255
        return BASE + offset

    def freeze(self) -> None:
        """Copy the buffers in; none can be added afterwards."""
        self.data = np.full(self.bytes, _RED, np.uint8)
        self._valid = np.zeros(self.bytes, np.bool_)
        for offset, array in self.buffers:
            self.data[offset : offset + array.nbytes] = array.reshape(-1).view(np.uint8)
            self._valid[offset : offset + array.nbytes] = True
        self._views = {size: self.data.view(dtype) for size, dtype in UNSIGNED.items()}

    def write_back(self) -> None:
        """Copy the buffers' bytes back into the arrays that came in."""
        for offset, array in self.buffers:
            array.reshape(-1).view(np.uint8)[:] = self.data[offset : offset + array.nbytes]

    def offsets(self, addresses: Array, size: int) -> Array:
        """Byte offsets of accesses of `size` bytes. Raises SimulationError outside of buffers."""
        offsets = addresses - BASE
        if offsets.size == 0:
            return offsets
        inside = offsets.min() >= 0 and offsets.max() + size <= self.bytes
        if not inside or not (self._valid[offsets] & self._valid[offsets + (size - 1)]).all():
            raise SimulationError("global access out of bounds")
        if (offsets % size).any():
            raise SimulationError(f"misaligned global access of {size} bytes")
        return offsets

    def load(self, offsets: Array, element_bytes: int, count: int) -> Array:
        """Elements [accesses, count] at checked offsets, as unsigned integers."""
        places = (offsets // element_bytes)[:, None] + np.arange(count)
        return self._views[element_bytes][places]

    def store(self, offsets: Array, values: Array) -> None:
        """Write elements [accesses, count] at checked offsets; the last of equal ones stays."""
        size = values.dtype.itemsize
        places = (offsets // size)[:, None] + np.arange(values.shape[1])
        self._views[size][places] = values.view(UNSIGNED[size])
