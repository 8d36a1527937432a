"""Tensor memory of a block (sm_100): 128 lanes of 512 columns of 32 bits.

`stored` is what the engine has, in program order; `visible` is what tcgen05.ld may see: results of
products appear there when they are committed and waited for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.errors import SimulationError

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block

LANES, COLUMNS = 128, 512
POISON = np.uint32(0xFFFFFFFF)


class TensorMemory:
    """Contents, allocations, and operations under way."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.stored = np.full((LANES, COLUMNS), POISON, np.uint32)
        self.visible = self.stored.copy()
        self.allocated: dict[int, int] = {}
        self.relinquished = False
        # Products in issue order, and each commit as the number of products before it.
        self.products: list[Callable[[], None]] = []
        self.issued = 0
        self.completed = 0
        self.loads: list[list[Callable[[], None]]] = [[] for _ in range(block.warps)]
        self.stores: list[list[Callable[[], None]]] = [[] for _ in range(block.warps)]

    def finish(self) -> None:
        """Raise if memory was not given back or work is left."""
        if self.allocated:
            raise SimulationError("tensor memory not deallocated")
        if self.products:
            raise SimulationError("exit with tcgen05.mma in flight")

    def allocate(self, columns: int) -> int:
        """A random free place: a kernel must not count on the first one."""
        if not 32 <= columns <= COLUMNS or columns & (columns - 1) or self.relinquished:
            raise SimulationError(f"tcgen05.alloc of {columns} columns, or after relinquishing")
        used = np.zeros(COLUMNS, np.bool_)
        for first, count in self.allocated.items():
            used[first : first + count] = True
        places = range(0, COLUMNS + 1 - columns, 32)
        free = [place for place in places if not used[place : place + columns].any()]
        if not free:
            raise SimulationError("deadlock: tcgen05.alloc waits for ever")
        first = int(self.block.random.choice(free))
        self.allocated[first] = columns
        return first

    def free(self, first: int, columns: int) -> None:
        """tcgen05.dealloc."""
        if self.allocated.pop(first, None) != columns:
            raise SimulationError("tcgen05.dealloc of something not allocated")
        if self.products:
            raise SimulationError("tcgen05.dealloc with tcgen05.mma in flight")

    def check(self, first: int, last: int) -> None:
        """Raise unless columns first .. last belong to one allocation."""
        if not any(at <= first and last < at + count for at, count in self.allocated.items()):
            raise SimulationError(f"tensor memory columns {first} .. {last} are not allocated")

    def issue(self, complete: Callable[[], None]) -> None:
        """A product begins."""
        self.products.append(complete)
        self.issued += 1

    def complete(self, until: int) -> None:
        """Complete products, in order, up to a number of them."""
        while self.completed < until:
            self.products.pop(0)()
            self.completed += 1
