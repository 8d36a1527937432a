"""atom and red: one lane after another, in lane order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.ptxsim.errors import Unimplemented
from kernels.ptxsim.families.loads import is_shared
from kernels.ptxsim.formats import NUMPY, UNSIGNED, Array, size_of
from kernels.ptxsim.operands import Sink, Vector
from kernels.ptxsim.registry import Action, instruction

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.parser import Instruction

_UPDATE: dict[str, Callable[..., Any]] = {
    "add": lambda old, value, other: old + value,
    "max": lambda old, value, other: np.maximum(old, value),
    "min": lambda old, value, other: np.minimum(old, value),
    "and": lambda old, value, other: old & value,
    "or": lambda old, value, other: old | value,
    "xor": lambda old, value, other: old ^ value,
    "exch": lambda old, value, other: value,
    "cas": lambda old, value, other: np.where(old == value, other, old),
    "inc": lambda old, value, other: np.where(old >= value, old.dtype.type(0), old + 1),
}
_SCOPES = ("global", "shared", "shared::cta", "gpu", "sys", "cta", "relaxed", "acquire", "release")


@instruction("atom", "red")
def atomic(found: Instruction) -> Action:
    """Read, update, write; atom gives the old value, red does not."""
    operation = next((part for part in found.opcode[1:] if part in _UPDATE), None)
    if operation is None or found.kind not in NUMPY or found.kind in ("bf16", "f16x2", "bf16x2"):
        raise Unimplemented(f"{found.name}.{found.kind}")
    found.only(*_SCOPES, "acq_rel", "noftz", operation)
    operands = found.operands if found.name == "atom" else (Sink(), *found.operands)
    if isinstance(operands[2], Vector):
        raise Unimplemented(f"{found.name} of vectors")
    update, size, dtype = _UPDATE[operation], size_of(found.kind), NUMPY[found.kind]
    places, read = operands[1].reader("b64"), operands[2].reader(found.kind)
    other = operands[3].reader(found.kind) if operation == "cas" else read
    write, shared = operands[0].writer(), is_shared(found)

    def act(block: Block, mask: Array) -> None:
        at, value, swap = places(block), read(block), other(block)
        old = np.zeros(block.threads, dtype)
        for lane in np.flatnonzero(mask):
            if shared:
                start = int(block.shared.starts(at[lane : lane + 1], size)[0])
                memory = block.shared.data
            else:
                offsets = block.arena.offsets(at[lane : lane + 1], size)
                if block.arena.trace is not None:
                    block.arena.trace.record("atom", offsets, size, np.array([lane // 32]))
                start, memory = int(offsets[0]), block.arena.data
            cell = memory[start : start + size].view(dtype)
            old[lane] = cell[0]
            cell[0] = update(cell[0], value[lane], swap[lane])
        write(block, old.view(UNSIGNED[size]), mask)

    return act
