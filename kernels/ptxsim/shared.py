"""Shared memory of a block, and what must be true of every access to it.

Checked: bounds, alignment, races (`ordering`), bytes that an asynchronous copy is still writing,
and bytes written by ordinary stores that the asynchronous engines may not see yet (the proxies of
PTX: fence.proxy.async). Bytes nobody has written are 0xff, which is NaN in every float format.
"""

from __future__ import annotations

import numpy as np

from kernels.ptxsim.errors import SimulationError
from kernels.ptxsim.formats import UNSIGNED, Array
from kernels.ptxsim.ordering import Ordering

POISON = 0xFF
_FENCED, _ANY_WARP = -1, 32000


class SharedMemory:
    """`size` bytes; bookkeeping is per unit of `unit` bytes, a power of two up to 16."""

    def __init__(self, size: int, warps: int, unit: int) -> None:
        self.size, self.unit = size, unit
        padded = -(-size // 16) * 16
        self.data = np.full(padded, POISON, np.uint8)
        self._views = {width: self.data.view(dtype) for width, dtype in UNSIGNED.items()}
        units = padded // unit
        self.ordering = Ordering(warps, units)
        self.in_flight = np.zeros(units, np.int16)
        # The warp whose ordinary stores are not fenced towards the asynchronous proxy.
        self.unfenced_by = np.full(units, _FENCED, np.int16)
        self.any_unfenced = False

    def starts(self, addresses: Array, size: int, alignment: int | None = None) -> Array:
        """Checked byte offsets of accesses of `size` bytes."""
        if addresses.size and (addresses.min() < 0 or addresses.max() + size > self.size):
            raise SimulationError(
                f"shared access out of bounds ({addresses.max()} + {size} > {self.size})"
            )
        if (addresses % (alignment or size)).any():
            raise SimulationError(f"misaligned shared access of {size} bytes")
        return addresses

    def units(self, starts: Array, size: int) -> Array:
        """Units [n, k] of accesses of `size` bytes."""
        return starts[:, None] // self.unit + np.arange(max(1, size // self.unit))

    def units_of_bytes(self, places: Array) -> Array:
        """The distinct units of bytes anywhere, [1, k]."""
        return np.unique(places // self.unit)[None]

    def load(self, starts: Array, element_bytes: int, count: int, warps: Array) -> Array:
        """Elements [n, count] read by warps [n] with ordinary loads."""
        self.check_read(self.units(starts, element_bytes * count), warps)
        return self._views[element_bytes][(starts // element_bytes)[:, None] + np.arange(count)]

    def store(self, starts: Array, values: Array, warps: Array) -> None:
        """Elements [n, count] written by warps [n] with ordinary stores."""
        width = values.dtype.itemsize
        places = (starts // width)[:, None] + np.arange(values.shape[1])
        view, bits = self._views[width], values.view(UNSIGNED[width])
        units = self.units(starts, width * values.shape[1])
        changed = (view[places] != bits).any(1)[:, None]
        self.check_write(units, warps, changed)
        view[places] = bits
        self.unfenced_by[units] = warps[:, None]
        self.any_unfenced = True

    def check_read(self, units: Array, warps: Array) -> None:
        """Raise if bytes are in flight or their writer is not ordered before these warps."""
        if self.in_flight[units].any():
            raise SimulationError(
                "shared memory read while an asynchronous copy to it is in flight"
            )
        self.ordering.read(units, warps[:, None])

    def check_write(self, units: Array, warps: Array, changed: Array | None = None) -> None:
        """Raise if bytes are in flight or an earlier access is not ordered before these warps."""
        if self.in_flight[units].any():
            raise SimulationError(
                "shared memory written while an asynchronous copy to it is in flight"
            )
        self.ordering.write(units, warps[:, None], changed)

    def begin_copy(self, places: Array, units: Array, warp: int) -> None:
        """An asynchronous copy to bytes begins: poison them until it lands."""
        self.check_write(units, np.full(len(units), warp))
        self.in_flight[units] += 1
        self.data[places] = POISON

    def end_copy(self, places: Array, units: Array, values: Array, agent: int) -> None:
        """The copy lands; from now on it is a write of this agent."""
        self.data[places] = values
        self.in_flight[units] -= 1
        self.ordering.write_agent[units] = agent
        self.ordering.write_time[units] = self.ordering.clocks[agent, agent]

    def async_read(self, units: Array, warp: int) -> None:
        """An asynchronous engine reads units [1, k] on behalf of a warp."""
        self.check_fenced(units)
        self.check_read(units, np.array([warp]))

    def check_fenced(self, units: Array) -> None:
        """Raise if ordinary stores to these units are not visible to the asynchronous engines."""
        if self.any_unfenced and (self.unfenced_by[units] != _FENCED).any():
            raise SimulationError(
                "the asynchronous proxy touches shared memory written by ordinary stores without "
                "fence.proxy.async"
            )

    def fence(self, warps: list[int]) -> None:
        """fence.proxy.async of these warps: their writes, and all before a barrier, are visible."""
        if self.any_unfenced:
            mine = np.isin(self.unfenced_by, [*warps, _ANY_WARP])
            self.unfenced_by[mine] = _FENCED
            self.any_unfenced = bool((self.unfenced_by != _FENCED).any())

    def fenced(self, places: Array) -> None:
        """Bytes that need no fence: objects the hardware itself keeps coherent."""
        self.unfenced_by[places // self.unit] = _FENCED

    def barrier_passed(self) -> None:
        """After a barrier any one warp's fence covers what all of them wrote before it."""
        if self.any_unfenced:
            self.unfenced_by[self.unfenced_by != _FENCED] = _ANY_WARP
