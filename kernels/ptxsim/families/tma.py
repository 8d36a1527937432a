"""cp.async.bulk.tensor: boxes of a tensor between global and shared memory (TMA); bulk groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.block import warps_of
from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.families.mbarriers import Mbarriers
from kernels.ptxsim.families.proxies import TensorMaps
from kernels.ptxsim.formats import Array
from kernels.ptxsim.operands import Address, constant
from kernels.ptxsim.registry import Action, instruction
from kernels.ptxsim.tensormap import SWIZZLE_BITS, Decoded

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

_PARTS = (
    "global",
    "shared::cta",
    "shared::cluster",
    "mbarrier::complete_tx::bytes",
    "bulk_group",
    "tile",
    "L2::cache_hint",
    "cta_group::1",
)


@dataclass(frozen=True)
class Box:
    """One box of elements [rows, columns].

    places: their bytes in shared memory [rows, columns, element]; inside: which belong to the
    tensor [rows, columns]; offsets: where those are in the arena [elements inside].
    """

    places: Array
    inside: Array
    offsets: Array

    @classmethod
    def at(cls, block: Block, found: Decoded, corner: list[int], start: int) -> Box:
        """The box with its first element at `corner`, innermost coordinate first."""
        if len(corner) != found.rank:
            raise SimulationError(
                f"{len(corner)} coordinates for a tensor map of rank {found.rank}"
            )
        if start % 128:
            raise SimulationError("shared address of a TMA copy is not a multiple of 128")
        box, size = found.box, found.element_bytes
        row = np.arange(int(np.prod(box[1:])))
        offset, valid, rest = np.zeros(len(row), np.int64), np.ones(len(row), np.bool_), row
        for axis in range(1, found.rank):
            at = rest % box[axis] + corner[axis]
            rest = rest // box[axis]
            valid &= (at >= 0) & (at < found.size[axis])
            offset += at * found.stride[axis]
        column = np.arange(box[0])
        along = column + corner[0]
        inside = valid[:, None] & (along >= 0) & (along < found.size[0])
        linear = start + row[:, None] * (box[0] * size) + column * size
        if found.swizzle:
            linear ^= ((linear >> 7) & SWIZZLE_BITS[found.swizzle]) << 4
        if linear.min() < 0 or linear.max() + size > block.shared.size:
            raise SimulationError("shared memory of a TMA copy is out of bounds")
        addresses = (found.address + offset[:, None] + along * size)[inside]
        offsets = block.arena.offsets(addresses, size)
        return cls(linear[..., None] + np.arange(size), inside, offsets)

    @property
    def element_bytes(self) -> int:
        """Bytes of an element."""
        return int(self.places.shape[2])

    def global_places(self) -> Array:
        """Arena bytes [elements inside, element]."""
        return self.offsets[:, None] + np.arange(self.element_bytes)


class BulkStores:
    """Open and committed groups of stores of each warp; they land when waited for."""

    def __init__(self, block: Block) -> None:
        self.open: list[list[Callable[[], None]]] = [[] for _ in range(block.warps)]
        self.committed: list[list[list[Callable[[], None]]]] = [[] for _ in range(block.warps)]

    def finish(self) -> None:
        """Raise if stores are left."""
        if any(self.open) or any(self.committed):
            raise SimulationError("exit with bulk stores not waited for")

    def commit(self, warp: int) -> None:
        """Close the open group."""
        self.committed[warp].append(self.open[warp])
        self.open[warp] = []

    def wait(self, warp: int, left: int) -> None:
        """Let groups land, oldest first."""
        while len(self.committed[warp]) > left:
            for land in self.committed[warp].pop(0):
                land()


@instruction("cp.async.bulk.commit_group", "cp.async.bulk.wait_group")
def group(found: Instruction) -> Action:
    """Groups of bulk stores; waiting for reads alone (.read) waits for all here."""
    left = constant(found.operands[0]) if found.operands else None

    def act(block: Block, mask: Array) -> None:
        stores = block.part(BulkStores)
        for warp in warps_of(mask):
            if left is None:
                stores.commit(warp)
            else:
                stores.wait(warp, left)

    return act


@instruction("cp.async.bulk.tensor")
def copy_box(found: Instruction) -> Action:
    """One box in or out; each lane that comes here copies one."""
    for part in found.opcode[5:]:
        if part not in _PARTS:
            raise Unimplemented(f"cp.async.bulk.tensor with .{part}")
    loads = found.opcode[5].startswith("shared")
    tensor = found.operands[1 if loads else 0]
    if not isinstance(tensor, Address):
        raise Unimplemented("this form of cp.async.bulk.tensor")
    maps = tensor.reader()
    corners = [coordinate.reader("s32") for coordinate in tensor.coordinates]
    starts = found.operands[0 if loads else 1].reader("b64")
    barriers = found.operands[2].reader("b64") if loads else None

    def act(block: Block, mask: Array) -> None:
        at, start = maps(block), starts(block)
        corner = [read(block) for read in corners]
        for lane in np.flatnonzero(mask).tolist():
            known = block.part(TensorMaps).at(int(at[lane]))
            box = Box.at(block, known, [int(c[lane]) for c in corner], int(start[lane]))
            trace = block.arena.trace
            if trace is not None:
                trace.record("tma.load" if loads else "tma.store", box.offsets, box.element_bytes)
            if barriers is not None:
                _load(block, box, int(barriers(block)[lane]), lane // 32)
            else:
                _store(block, box, lane // 32)

    return act


def _load(block: Block, box: Box, address: int, warp: int) -> None:
    shared, known = block.shared, block.part(Mbarriers)
    barrier = known.find(address, warp)
    units = shared.units_of_bytes(box.places)
    shared.check_fenced(units)
    shared.begin_copy(box.places, units, warp)
    barrier.ordered = False
    issued = shared.ordering.release(warp)

    def land() -> None:
        values = np.zeros(box.places.shape, np.uint8)
        values[box.inside] = block.arena.data[box.global_places()]
        engines = shared.ordering.engines
        shared.end_copy(box.places, units, values, engines)
        barrier.bytes_expected -= box.places.size
        known.arrive(barrier, np.maximum(issued, shared.ordering.release(engines)), 0)

    barrier.landing.append(land)


def _store(block: Block, box: Box, warp: int) -> None:
    shared = block.shared
    units = shared.units_of_bytes(box.places)
    shared.async_read(units, warp)
    taken = shared.data[box.places]

    def land() -> None:
        if (shared.data[box.places] != taken).any():
            raise SimulationError("shared source of a TMA store changed before wait_group")
        shared.ordering.remember_read(units, warp)
        block.arena.data[box.global_places()] = taken[box.inside]

    block.part(BulkStores).open[warp].append(land)
