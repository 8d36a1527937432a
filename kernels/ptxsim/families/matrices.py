"""ldmatrix and stmatrix: 8 x 8 matrices of 16-bit elements between shared memory and registers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.block import lanes_of, warps_of
from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.formats import Array
from kernels.ptxsim.operands import elements
from kernels.ptxsim.registry import Action, instruction

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

_LANES = np.arange(32)
_ROW, _PAIR = _LANES // 4, 2 * (_LANES % 4)


def whole_warps(mask: Array) -> list[int]:
    """The warps of a mask, which must be there with all lanes. Raises SimulationError."""
    warps = list(warps_of(mask))
    if not mask.reshape(-1, 32)[warps].all():
        raise SimulationError("a warp comes with only some of its lanes")
    return warps


def _plain(found: Instruction) -> None:
    found.only("sync", "aligned", "m8n8", "x1", "x2", "x4", "trans", "shared", "shared::cta")
    if found.kind != "b16":
        raise Unimplemented(f"{found.name}.{found.kind}")


@instruction("ldmatrix")
def load_matrix(found: Instruction) -> Action:
    """Lane 8j + r has the address of row r of matrix j; a lane gets two neighbours of a row."""
    _plain(found)
    count, transposed = found.times(), found.has("trans")
    places = found.operands[1].reader("b64")
    writes = [element.writer() for element in elements(found.operands[0])]

    def act(block: Block, mask: Array) -> None:
        at, shared = places(block).reshape(-1, 32), block.shared
        parts = np.zeros((count, block.warps, 32), np.uint32)
        for warp in whole_warps(mask):
            starts = shared.starts(at[warp, : 8 * count], 16)
            rows = shared.load(starts, 2, 8, np.full(8 * count, warp)).reshape(count, 8, 8)
            if transposed:
                rows = rows.transpose(0, 2, 1)
            words = rows[:, _ROW, _PAIR].astype(np.uint32)
            parts[:, warp] = words | rows[:, _ROW, _PAIR + 1].astype(np.uint32) << np.uint32(16)
        for part, write in zip(parts, writes, strict=True):
            write(block, part.reshape(-1), mask)

    return act


@instruction("stmatrix")
def store_matrix(found: Instruction) -> Action:
    """The reverse of ldmatrix."""
    _plain(found)
    count, transposed = found.times(), found.has("trans")
    places = found.operands[0].reader("b64")
    reads = [element.reader("b32") for element in elements(found.operands[1])]

    def act(block: Block, mask: Array) -> None:
        at, shared = places(block).reshape(-1, 32), block.shared
        words = np.stack([read(block) for read in reads])
        for warp in whole_warps(mask):
            own = words[:, lanes_of(warp)]
            rows = np.zeros((count, 8, 8), np.uint16)
            rows[:, _ROW, _PAIR] = own & np.uint32(0xFFFF)
            rows[:, _ROW, _PAIR + 1] = own >> np.uint32(16)
            if transposed:
                rows = rows.transpose(0, 2, 1)
            starts = shared.starts(at[warp, : 8 * count], 16)
            lines = np.ascontiguousarray(rows).reshape(-1, 8)
            shared.store(starts, lines, np.full(8 * count, warp))

    return act
