"""Global memory accesses in SASS: how wide each is, and which parameter its address comes from.

Pointers enter through constant bank 0, where the cubin says each parameter lies. From there they
are followed through registers along every path (a forward data-flow analysis: Aho, Sethi, Ullman:
Compilers, 10.5); a loaded value is no pointer. Tensor-map copies have no address of their own:
the hardware moves 16 bytes and more at a time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from kernels.inspect.cubin import Cubin
from kernels.inspect.flow import Block, blocks
from kernels.inspect.sass import Instruction

Direction = Literal["load", "store", "atomic"]
# Registers with the parameters they may hold the address of, as bits.
_State = dict[str, int]

_GLOBAL: dict[str, Direction] = {
    "LDG": "load",
    "LDGSTS": "load",
    "UTMALDG": "load",
    "STG": "store",
    "UTMASTG": "store",
    "RED": "atomic",
    "REDG": "atomic",
    "ATOM": "atomic",
    "ATOMG": "atomic",
    "UTMAREDG": "atomic",
}
_WIDTHS = {"U8": 1, "S8": 1, "U16": 2, "S16": 2, "64": 8, "128": 16, "256": 32}
_NO_RESULT = frozenset({"STG", "STS", "STL", "ST", "RED", "REDG", "LDGSTS", "STSM", "SYNCS"})
_LOADS = frozenset({"LDG", "LDS", "LDL", "LD", "LDSM", "LDTM", "ATOMG", "ATOMS", "ATOM", "S2R"})
_BANK_LOADS = frozenset({"LDC", "ULDC", "LDCU"})
_REGISTER = re.compile(r"\b(U?R)(\d+)\b")
_PARAMETER_BANK = re.compile(r"c\[0x0\]\[(0x[0-9a-f]+)\]")
_BRACKETS = re.compile(r"(?<!desc)(?<!c)(?<!\])\[([^\]]*)\]|desc\[[^\]]*\]\[([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Access:
    """Accesses of one kind: `ordinals` are the parameters that the address may come from.

    `bytes` is what one thread moves; 16 stands for every tensor-map copy, whose `tensor_map` is
    true and whose ordinals are empty.
    """

    direction: Direction
    bytes: int
    ordinals: tuple[int, ...]
    tensor_map: bool = False


def accesses(instructions: Sequence[Instruction], cubin: Cubin) -> Counter[Access]:
    """Count the global accesses of a kernel by kind."""
    graph = blocks(instructions)
    found: Counter[Access] = Counter()
    for block, state in zip(graph, _solve(graph, instructions, cubin), strict=True):
        for instruction in instructions[block.first : block.last]:
            if instruction.stem in _GLOBAL:
                found[_access(instruction, state)] += 1
            _step(instruction, state, cubin)
    return found


def _access(instruction: Instruction, state: _State) -> Access:
    direction = _GLOBAL[instruction.stem]
    if instruction.stem.startswith("UTMA"):
        return Access(direction, 16, (), tensor_map=True)
    width = next((_WIDTHS[part] for part in instruction.modifiers if part in _WIDTHS), 4)
    groups = [plain or described for plain, described in _BRACKETS.findall(instruction.operands)]
    bits = 0
    # The first address of a copy to shared memory is the one it writes.
    address = groups[1] if instruction.stem == "LDGSTS" else groups[0]
    for kind, number in _REGISTER.findall(address):
        bits |= state.get(f"{kind}{number}", 0)
    return Access(direction, width, tuple(i for i in range(bits.bit_length()) if bits >> i & 1))


def _solve(
    graph: Sequence[Block], instructions: Sequence[Instruction], cubin: Cubin
) -> list[_State]:
    """The state at the start of every block, over all paths that lead there."""
    starts: list[_State] = [{} for _ in graph]
    waiting = list(range(len(graph)))
    while waiting:
        number = waiting.pop(0)
        block = graph[number]
        state = dict(starts[number])
        for instruction in instructions[block.first : block.last]:
            _step(instruction, state, cubin)
        for after in block.successors:
            start = starts[after]
            merged = {name: start.get(name, 0) | bits for name, bits in state.items() if bits}
            if any(start.get(name, 0) != bits for name, bits in merged.items()):
                start.update(merged)
                if after not in waiting:
                    waiting.append(after)
    return starts


def _step(instruction: Instruction, state: _State, cubin: Cubin) -> None:
    """What an instruction does to the registers it writes."""
    first, _, rest = instruction.operands.partition(",")
    target = re.fullmatch(r"(U?R)(\d+)(?:\.\w+)*", first.strip())
    if target is None or instruction.stem in _NO_RESULT:
        return
    for index, name in enumerate(_written(target[1], int(target[2]), instruction)):
        if instruction.stem in _LOADS:
            bits = 0
        elif instruction.stem in _BANK_LOADS:
            bits = sum(_parameter_bits(int(at, 16) + 4 * index, cubin) for at in _bank(rest))
        else:
            bits = 0
            for kind, number in _REGISTER.findall(rest):
                bits |= state.get(f"{kind}{number}", 0)
            for at in _bank(rest):
                bits |= _parameter_bits(int(at, 16), cubin)
        # Under a predicate the old value may stay.
        state[name] = bits | (state.get(name, 0) if instruction.predicate else 0)


def _bank(operands: str) -> list[str]:
    return _PARAMETER_BANK.findall(operands)


def _written(kind: str, number: int, instruction: Instruction) -> Iterator[str]:
    words = 1
    for part in instruction.modifiers:
        if part in ("64", "WIDE"):
            words = 2
        elif part == "128":
            words = 4
    if instruction.stem == "CS2R" and "32" not in instruction.modifiers:
        words = 2
    return (f"{kind}{number + i}" for i in range(words))


def _parameter_bits(offset: int, cubin: Cubin) -> int:
    """The parameter at an offset of constant bank 0, if it can be a pointer (8 bytes)."""
    at = offset - cubin.parameter_base
    for parameter in cubin.parameters:
        if parameter.size == 8 and parameter.offset <= at < parameter.offset + 8:
            return 1 << parameter.ordinal
    return 0
