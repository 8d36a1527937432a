"""Which function decodes which instruction.

A decoder takes an Instruction and returns its action, a function (block, mask) that runs it for the
threads where mask [threads] holds. Decoding happens once, when the instruction is first reached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from kernels.ptxsim.errors import Unimplemented

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block
    from kernels.ptxsim.formats import Array
    from kernels.ptxsim.parser import Instruction

Action: TypeAlias = "Callable[[Block, Array], None]"
Decoder: TypeAlias = "Callable[[Instruction], Action]"

_DECODERS: dict[str, Decoder] = {}


def instruction(*names: str) -> Callable[[Decoder], Decoder]:
    """Register a decoder for opcodes that begin with one of these names, parts and all."""

    def register(decoder: Decoder) -> Decoder:
        for name in names:
            _DECODERS[name] = decoder
        return decoder

    return register


def decode(found: Instruction) -> Action:
    """The action of an instruction, by the longest name that fits. Raises Unimplemented."""
    for length in range(len(found.opcode), 0, -1):
        decoder = _DECODERS.get(".".join(found.opcode[:length]))
        if decoder is not None:
            return decoder(found)
    raise Unimplemented(f"instruction {found.name}")
