"""Proxy fences, and tensor maps that a kernel makes for itself.

Ordinary accesses and those of the asynchronous engines go through different proxies; a fence makes
the one's writes visible to the other. A tensor map in global memory is used as it was at the last
fence.proxy.tensormap acquire of its address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.block import warps_of
from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.families.loads import is_shared
from kernels.ptxsim.formats import Array
from kernels.ptxsim.memory import PARAMETER_BASE
from kernels.ptxsim.operands import constant
from kernels.ptxsim.registry import Action, instruction
from kernels.ptxsim.tensormap import BYTES, FIELDS, LAYOUT, Decoded, decode

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

_WORDS = np.arange(0, BYTES, 8)


class TensorMaps:
    """Tensor maps that the copy engine may use, by address."""

    def __init__(self, block: Block) -> None:
        self.block = block
        self.acquired: dict[int, Array] = {}

    def finish(self) -> None:
        """Nothing can be left open."""

    def acquire(self, address: int) -> None:
        """The map as it is in global memory now."""
        self.acquired[address] = self.block.arena.data[self.places(address)].copy()

    def places(self, address: int) -> Array:
        """Arena bytes of a map in global memory."""
        offsets = self.block.arena.offsets(address + _WORDS, 8)
        return (offsets[:, None] + np.arange(8)).reshape(-1)

    def at(self, address: int) -> Decoded:
        """The map at an address, in the parameters or acquired from global memory."""
        offset = address - PARAMETER_BASE
        if 0 <= offset < len(self.block.parameters):
            if offset % 64:
                raise SimulationError("misaligned tensor map")
            return decode(self.block.parameters[offset : offset + BYTES])
        if address % BYTES:
            raise SimulationError("misaligned tensor map")
        if address not in self.acquired:
            raise SimulationError(
                "tensor map in global memory used without fence.proxy.tensormap acquire"
            )
        return decode(self.acquired[address])


@instruction("fence")
def fence(found: Instruction) -> Action:
    """fence.proxy.async and fence.proxy.tensormap; others have nothing to do here."""
    if found.opcode[1:3] == ("proxy", "async"):
        return lambda block, mask: block.shared.fence(list(warps_of(mask)))
    if found.opcode[1:3] == ("proxy", "tensormap::generic") and found.has("acquire"):
        places = found.operands[0].reader("b64")

        def act(block: Block, mask: Array) -> None:
            block.part(TensorMaps).acquire(int(places(block)[mask.argmax()]))

        return act
    return lambda block, mask: None


@instruction("tensormap.cp_fenceproxy")
def publish(found: Instruction) -> Action:
    """Copy a map from shared to global memory, one a warp."""
    if constant(found.operands[2]) != BYTES:
        raise SimulationError(f"a tensor map has {BYTES} bytes")
    targets, sources = (operand.reader("b64") for operand in found.operands[:2])

    def act(block: Block, mask: Array) -> None:
        to, source = targets(block), sources(block)
        for warp in warps_of(mask):
            lane = 32 * warp + int(mask[32 * warp : 32 * warp + 32].argmax())
            if to[lane] % BYTES:
                raise SimulationError("misaligned tensor map")
            start = int(block.shared.starts(source[lane : lane + 1], BYTES)[0])
            made = block.shared.data[start : start + BYTES]
            block.arena.data[block.part(TensorMaps).places(int(to[lane]))] = made

    return act


@instruction("tensormap.replace")
def replace_field(found: Instruction) -> Action:
    """Set one field of a map in shared memory."""
    field = FIELDS.get(found.opcode[3])
    if field is None or not is_shared(found):
        raise Unimplemented(f"tensormap.replace of {found.opcode[3]}")
    places = found.operands[0].reader("b64")
    kind = "u64" if found.kind == "b64" else "u32"
    values = found.operands[-1].reader(kind)
    axes = found.operands[1].reader("u32") if len(found.operands) == 3 else None

    def act(block: Block, mask: Array) -> None:
        at, value, shared = places(block), values(block), block.shared
        for lane in np.flatnonzero(mask):
            start = int(shared.starts(at[lane : lane + 1], BYTES, 64)[0])
            covered = slice(start, start + LAYOUT.itemsize)
            made = np.frombuffer(shared.data[covered].tobytes(), LAYOUT).copy()
            if axes is None:
                made[field][0] = value[lane]
            else:
                made[field][0, int(axes(block)[lane])] = value[lane]
            raw = np.frombuffer(made.tobytes(), np.uint8)
            starts = np.arange(start, start + len(raw), 4)
            shared.store(starts, raw.view(np.uint32)[:, None], np.full(len(starts), lane // 32))

    return act
