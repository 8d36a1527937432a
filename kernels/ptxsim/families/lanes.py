"""Between the lanes of a warp: shfl, vote, redux, elect, match, activemask."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.ptxsim.errors import SimulationError, Unimplemented
from kernels.ptxsim.families.matrices import whole_warps
from kernels.ptxsim.formats import NUMPY, Array
from kernels.ptxsim.operands import Pair
from kernels.ptxsim.registry import Action, instruction

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

_LANES = np.arange(32)[None]
_REDUCE: dict[str, Callable[..., Any]] = {
    "add": np.sum,
    "min": np.min,
    "max": np.max,
    "and": np.bitwise_and.reduce,
    "or": np.bitwise_or.reduce,
    "xor": np.bitwise_xor.reduce,
}


@instruction("shfl")
def shuffle(found: Instruction) -> Action:
    """shfl.sync: each lane takes the value of another one, or keeps its own."""
    mode = found.opcode[2]
    if mode not in ("bfly", "idx", "up", "down"):
        raise Unimplemented(f"shfl.{mode}")
    value, lane, clamp = (operand.reader("u32") for operand in found.operands[1:4])
    target = found.operands[0]
    first, valid = (target.first, target.second) if isinstance(target, Pair) else (target, None)
    write, write_valid = first.writer(), valid.writer() if valid else None

    def act(block: Block, mask: Array) -> None:
        whole_warps(mask)
        by = lane(block).reshape(-1, 32).astype(np.int64)
        limits = clamp(block).reshape(-1, 32).astype(np.int64)
        bound, segment = limits & 31, (limits >> 8) & 31
        largest = (_LANES & segment) | (bound & ~segment)
        source = {
            "bfly": _LANES ^ by,
            "idx": (_LANES & segment) | (by & ~segment & 31),
            "up": _LANES - by,
            "down": _LANES + by,
        }[mode]
        inside = source >= largest if mode == "up" else source <= largest
        picked = np.where(inside, source, _LANES)
        values = np.take_along_axis(value(block).reshape(-1, 32), picked, 1)
        write(block, values.reshape(-1), mask)
        if write_valid:
            write_valid(block, inside.reshape(-1), mask)

    return act


def _whole_mask(mask: Array, members: Array) -> None:
    """Votes and reductions are known for all 32 lanes only."""
    whole_warps(mask)
    if (members[mask] != 0xFFFFFFFF).any():
        raise Unimplemented("a member mask that is not the whole warp")


@instruction("redux")
def reduce(found: Instruction) -> Action:
    """redux.sync: one result for all lanes."""
    found.only("sync", *_REDUCE)
    function, dtype = _REDUCE[found.opcode[2]], NUMPY[found.kind]
    read, members = found.operands[1].reader(found.kind), found.operands[2].reader("b32")
    write = found.operands[0].writer()

    def act(block: Block, mask: Array) -> None:
        _whole_mask(mask, members(block))
        result = function(read(block).reshape(-1, 32), axis=1).astype(dtype)
        write(block, np.repeat(result, 32), mask)

    return act


@instruction("vote")
def vote(found: Instruction) -> Action:
    """vote.sync: all, any, uni, or the ballot of a predicate."""
    mode = found.opcode[2]
    read, members = found.operands[1].reader("pred"), found.operands[2].reader("b32")
    write = found.operands[0].writer()
    if mode not in ("ballot", "any", "all", "uni"):
        raise Unimplemented(f"vote.{mode}")

    def act(block: Block, mask: Array) -> None:
        _whole_mask(mask, members(block))
        votes = read(block).reshape(-1, 32)
        if mode == "ballot":
            bits = votes.astype(np.uint64) << np.arange(32, dtype=np.uint64)
            result = bits.sum(1).astype(np.uint32)
        elif mode == "uni":
            result = votes.all(1) | ~votes.any(1)
        else:
            result = votes.any(1) if mode == "any" else votes.all(1)
        write(block, np.repeat(result, 32), mask)

    return act


@instruction("elect")
def elect(found: Instruction) -> Action:
    """elect.sync: the predicate holds in one lane of the warp."""
    target = found.operands[0]
    if not isinstance(target, Pair):
        raise SimulationError("elect.sync needs two destinations")
    write_lane, write_elected = target.first.writer(), target.second.writer()

    def act(block: Block, mask: Array) -> None:
        leaders = np.repeat(mask.reshape(-1, 32).argmax(1), 32)
        write_lane(block, leaders.astype(np.uint32), mask)
        write_elected(block, np.arange(block.threads) % 32 == leaders, mask)

    return act


@instruction("activemask")
def active_mask(found: Instruction) -> Action:
    """The lanes that are here now."""
    write = found.operands[0].writer()

    def act(block: Block, mask: Array) -> None:
        bits = mask.reshape(-1, 32).astype(np.uint64) << np.arange(32, dtype=np.uint64)
        write(block, np.repeat(bits.sum(1).astype(np.uint32), 32), mask)

    return act
