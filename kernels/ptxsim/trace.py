"""Traffic of a launch with global memory, counted access by access while it is simulated.

Four numbers a kind of access and a buffer, in bytes:
- requested: what the lanes asked for;
- filled: 32-byte sectors of every warp instruction, which is what moves between the second-level
  cache and a multiprocessor if nothing is found in its first-level cache;
- per_block: sectors counted once a block, as if the first-level cache kept all of them;
- compulsory: sectors counted once a launch, the least that device memory has to move.
Copies made by the tensor-map engine have no warps; each counts its sectors once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.formats import Array

if TYPE_CHECKING:
    from kernels.ptxsim.memory import Arena

SECTOR_BYTES = 32
# Kinds of access; the first four move bytes to a multiprocessor, the others from it.
READS = ("ld.global", "cp.async", "tma.load", "atom")
WRITES = ("st.global", "tma.store", "atom")


@dataclass
class Bytes:
    """Counts of one kind of access; see the module."""

    requested: int = 0
    filled: int = 0
    per_block: int = 0
    compulsory: int = 0
    instructions: int = 0


@dataclass(frozen=True)
class Traffic:
    """What a launch moved: by kind of access, and for each buffer compulsory and filled bytes.

    Buffers are in the order of the arguments (`Simulation.run`) or by parameter name (`simulate`).
    """

    kinds: dict[str, Bytes]
    reads: Bytes
    writes: Bytes
    read_buffers: dict[int | str, Bytes] = field(default_factory=dict)
    written_buffers: dict[int | str, Bytes] = field(default_factory=dict)

    def named(self, names: dict[int, str]) -> Traffic:
        """The same with buffers called by name."""
        return Traffic(
            self.kinds,
            self.reads,
            self.writes,
            {names.get(int(key), str(key)): value for key, value in self.read_buffers.items()},
            {names.get(int(key), str(key)): value for key, value in self.written_buffers.items()},
        )


class Trace:
    """Collects the accesses of a run; `traffic` sums them up."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.sectors = arena.bytes // SECTOR_BYTES + 1
        owner = np.full(self.sectors, -1, np.int32)
        for number, (offset, array) in enumerate(arena.buffers):
            last = offset + max(array.nbytes, 1) - 1
            owner[offset // SECTOR_BYTES : last // SECTOR_BYTES + 1] = number
        self.owner = owner
        self._bytes: dict[tuple[str, int], Bytes] = {}
        self._block: dict[str, Array] = {}
        self._launch: dict[str, Array] = {}

    def new_block(self) -> None:
        """A block starts, with nothing in its first-level cache."""
        for seen in self._block.values():
            seen[:] = False

    def record(self, kind: str, offsets: Array, size: int, warps: Array | None = None) -> None:
        """Count one instruction: accesses [n] of `size` bytes at arena offsets, by warps [n]."""
        if len(offsets) == 0:
            return
        if kind not in self._block:
            self._block[kind] = np.zeros(self.sectors, np.bool_)
            self._launch[kind] = np.zeros(self.sectors, np.bool_)
        reach = np.arange(-(-size // SECTOR_BYTES))
        touched = (offsets // SECTOR_BYTES)[:, None] + reach
        warp = np.zeros(len(offsets), np.int64) if warps is None else warps.astype(np.int64)
        keys = np.unique(touched + (warp[:, None] << 40))
        filled = self.owner[keys & ((1 << 40) - 1)]
        distinct = np.unique(touched)
        in_block = self.owner[distinct[~self._block[kind][distinct]]]
        in_launch = self.owner[distinct[~self._launch[kind][distinct]]]
        self._block[kind][distinct] = True
        self._launch[kind][distinct] = True
        requested = self.owner[offsets // SECTOR_BYTES]
        for buffer in np.unique(filled):
            count = self._bytes.setdefault((kind, int(buffer)), Bytes())
            count.requested += size * int((requested == buffer).sum())
            count.filled += SECTOR_BYTES * int((filled == buffer).sum())
            count.per_block += SECTOR_BYTES * int((in_block == buffer).sum())
            count.compulsory += SECTOR_BYTES * int((in_launch == buffer).sum())
            count.instructions += len(np.unique(warp[requested == buffer]))

    def traffic(self) -> Traffic:
        """The sums so far."""
        kinds = {kind: self._sum([kind]) for kind in self._launch}
        return Traffic(
            kinds,
            self._sum(READS),
            self._sum(WRITES),
            self._buffers(READS),
            self._buffers(WRITES),
        )

    def _buffers(self, kinds: tuple[str, ...]) -> dict[int | str, Bytes]:
        numbers = sorted({buffer for kind, buffer in self._bytes if kind in kinds})
        return {number: self._sum(kinds, number) for number in numbers}

    def _sum(self, kinds: list[str] | tuple[str, ...], buffer: int | None = None) -> Bytes:
        total = Bytes()
        seen = np.zeros(self.sectors, np.bool_)
        for (kind, number), count in self._bytes.items():
            if kind in kinds and buffer in (None, number):
                total.requested += count.requested
                total.filled += count.filled
                total.per_block += count.per_block
                total.instructions += count.instructions
        for kind in kinds:
            if kind in self._launch:
                seen |= self._launch[kind]
        mine = seen if buffer is None else seen & (self.owner == buffer)
        total.compulsory = SECTOR_BYTES * int(mine.sum())
        return total
