"""The state of one thread block (CTA) while it is simulated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from kernels.ptxsim.barriers import NamedBarriers
from kernels.ptxsim.formats import NUMPY, Array
from kernels.ptxsim.memory import Arena
from kernels.ptxsim.parser import Program
from kernels.ptxsim.shared import SharedMemory

if TYPE_CHECKING:
    from kernels.ptxsim.scheduler import Scheduler

Part = TypeVar("Part")


@dataclass(frozen=True)
class Environment:
    """What all blocks of a launch share."""

    program: Program
    arena: Arena
    parameters: Array
    grid: tuple[int, int, int]
    shared_bytes: int
    unit: int
    random: np.random.Generator
    strict_tensor_memory: bool


class Block:
    """Registers, shared memory, and the parts that instruction families add for themselves.

    A part is an object made by `Class(block)` on first use; `finish()` is called on each when the
    block has ended and raises if something is still under way.
    """

    scheduler: Scheduler

    def __init__(self, environment: Environment, index: tuple[int, int, int]) -> None:
        program = environment.program
        self.environment = environment
        self.program = program
        self.arena = environment.arena
        self.parameters = environment.parameters
        self.grid = environment.grid
        self.random = environment.random
        self.index = index
        self.threads = program.threads
        self.warps = program.threads // 32
        self.clock = 0
        self.registers = [np.zeros(self.threads, _storage(kind)) for kind in program.registers]
        self.shared = SharedMemory(environment.shared_bytes, self.warps, environment.unit)
        # When each warp last wrote each register; only wgmma's fences need to know.
        self.written: Array | None = None
        if program.uses("wgmma"):
            self.written = np.full((len(self.registers), self.warps), -1, np.int64)
        self._parts: dict[type, Any] = {}
        self.barriers = self.part(NamedBarriers)

    def part(self, kind: type[Part]) -> Part:
        """This block's object of a class, made on first use."""
        found: Part | None = self._parts.get(kind)
        if found is None:
            found = self._parts[kind] = kind(self)  # type: ignore[call-arg]
        return found

    def finish(self) -> None:
        """Check that nothing is left under way."""
        for part in self._parts.values():
            part.finish()


def lanes_of(warp: int) -> slice:
    """The threads of a warp."""
    return slice(32 * warp, 32 * warp + 32)


def warps_of(mask: Array) -> Iterator[int]:
    """The warps with a thread in a mask."""
    yield from np.flatnonzero(mask.reshape(-1, 32).any(1)).tolist()


def _storage(kind: str) -> Any:
    return NUMPY["b64"] if kind == "b128" else NUMPY[kind]
