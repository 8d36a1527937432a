"""setp, selp, slct: comparisons and choices."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from kernels.ptxsim.formats import Array, is_float, size_of
from kernels.ptxsim.operands import Pair
from kernels.ptxsim.registry import Action, instruction
from kernels.ptxsim.values import value_reader

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

_ORDERED: dict[str, Callable[..., Array]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}
_UNSIGNED = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
_COMBINE = {"and": np.logical_and, "or": np.logical_or, "xor": np.logical_xor}


def _compare(name: str, floats: bool) -> Callable[[Array, Array], Array]:
    """A comparison by name; float forms ending in u hold when a number is NaN, others do not."""
    if not floats:
        return _ORDERED[_UNSIGNED.get(name, name)]
    if name in ("num", "nan"):
        return lambda a, b: (np.isnan(a) | np.isnan(b)) == (name == "nan")
    if name.endswith("u"):
        ordered = _ORDERED[name[:-1]]
        return lambda a, b: ordered(a, b) | np.isnan(a) | np.isnan(b)
    if name == "ne":
        return lambda a, b: (a != b) & ~np.isnan(a) & ~np.isnan(b)
    return _ORDERED[name]


@instruction("setp")
def set_predicate(found: Instruction) -> Action:
    """A comparison, optionally combined with a predicate."""
    combine = next((part for part in found.opcode[2:-1] if part in _COMBINE), None)
    found.only(found.opcode[1], "ftz", *_COMBINE)
    compare = _compare(found.opcode[1], is_float(found.kind))
    left, right = (value_reader(source, found.kind) for source in found.operands[1:3])
    further = found.operands[3].reader("pred") if combine else None
    target = found.operands[0]
    both = (target.first, target.second) if isinstance(target, Pair) else (target,)
    writes = [operand.writer() for operand in both]
    pairs = found.kind.endswith("x2")

    def act(block: Block, mask: Array) -> None:
        result = compare(left(block), right(block))
        # The second predicate is that of the high half, or the opposite of the first.
        results = (result[:, 0], result[:, 1]) if pairs else (result, ~result)
        for write, value in zip(writes, results, strict=False):
            if combine and further:
                value = _COMBINE[combine](value, further(block))
            write(block, value, mask)

    return act


@instruction("selp")
def select(found: Instruction) -> Action:
    """One of two sources, by a predicate."""
    found.only()
    kind = f"b{8 * size_of(found.kind)}" if found.kind != "pred" else "pred"
    yes, no = (source.reader(kind) for source in found.operands[1:3])
    choose, write = found.operands[3].reader("pred"), found.operands[0].writer()
    return lambda block, mask: write(block, np.where(choose(block), yes(block), no(block)), mask)
