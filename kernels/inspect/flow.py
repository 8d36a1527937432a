"""Control flow of SASS: basic blocks, natural loops, and the loop that does the work.

Loops are found by dominators (Aho, Sethi, Ullman: Compilers, 10.4), so that a body of several
blocks, code moved out of line and loops within loops are all told apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kernels.inspect.sass import Instruction

_NO_RETURN = frozenset({"EXIT", "RET", "KILL", "BPT"})
_JUMPS = frozenset({"BRA", "BRX", "BRXU", "JMP", "JMX", "JMXU", "BREAK"})


@dataclass(frozen=True)
class Block:
    """Instructions first .. last (exclusive) that run one after the other, and what may follow."""

    first: int
    last: int
    successors: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MainLoop:
    """Where the matrix products are: instructions, and how many of them are tensor-core ones.

    kind 'loop' is the innermost loop with the most of them; 'straight' means that no loop has any
    (the compiler unrolled it), and what is counted runs from the first to the last of them.
    """

    kind: Literal["loop", "straight"]
    instructions: int
    tensor_instructions: int
    opcode: str

    @property
    def per_tensor_instruction(self) -> float:
        """Instructions issued for every tensor-core instruction, itself included."""
        return self.instructions / self.tensor_instructions


def blocks(instructions: Sequence[Instruction]) -> tuple[Block, ...]:
    """Split at jumps and their targets; successors are indices of blocks."""
    index = {instruction.address: i for i, instruction in enumerate(instructions)}
    follows = _followers(instructions, index)
    starts = {0}
    for i, after in enumerate(follows):
        if after != (i + 1,):
            starts.update(after)
            starts.add(i + 1)
    bounds = sorted(start for start in starts if start < len(instructions))
    number = {start: i for i, start in enumerate(bounds)}
    ends = [*bounds[1:], len(instructions)]
    return tuple(
        Block(first, last, tuple(number[i] for i in follows[last - 1] if i in number))
        for first, last in zip(bounds, ends, strict=True)
    )


def loops(graph: Sequence[Block]) -> tuple[frozenset[int], ...]:
    """Natural loops as sets of block numbers; loops that share a header are one."""
    dominators = _dominators(graph)
    before = _predecessors(graph)
    found: dict[int, set[int]] = {}
    for tail, block in enumerate(graph):
        for header in block.successors:
            if dominators[tail] >> header & 1:
                body = found.setdefault(header, {header})
                waiting = [tail]
                while waiting:
                    node = waiting.pop()
                    if node not in body:
                        body.add(node)
                        waiting.extend(before[node])
    return tuple(frozenset(body) for body in found.values())


def main_loop(instructions: Sequence[Instruction]) -> MainLoop | None:
    """The loop with the matrix products; None if the kernel has none on tensor cores."""
    tensor = [i for i, each in enumerate(instructions) if each.multiplies_matrices]
    if not tensor:
        return None
    graph = blocks(instructions)
    owner = {i: n for n, block in enumerate(graph) for i in range(block.first, block.last)}
    candidates = []
    for body in loops(graph):
        inside = [i for i in tensor if owner[i] in body]
        if inside:
            size = sum(graph[n].last - graph[n].first for n in body)
            candidates.append((body, size, inside))
    innermost = [
        (len(inside), -size, inside)
        for body, size, inside in candidates
        if not any(other < body for other, _, _ in candidates)
    ]
    if not innermost:
        span = tensor[-1] - tensor[0] + 1
        return MainLoop("straight", span, len(tensor), instructions[tensor[0]].opcode)
    count, size, inside = max(innermost)
    return MainLoop("loop", -size, count, instructions[inside[0]].opcode)


def _followers(instructions: Sequence[Instruction], index: dict[int, int]) -> list[tuple[int, ...]]:
    """Indices of the instructions that may run next, of each."""
    meet: dict[str, int] = {}
    result: list[tuple[int, ...]] = []
    for i, each in enumerate(instructions):
        operands = each.operands.split(",")
        conditional = bool(each.predicate) or _has_condition(each)
        if each.stem == "BSSY" and each.targets:
            meet[operands[0].strip()] = index[each.targets[0]]
        if each.stem in _JUMPS:
            after = tuple(index[target] for target in each.targets)
            after += (i + 1,) if conditional else ()
        elif each.stem in _NO_RETURN:
            after = (i + 1,) if conditional else ()
        elif each.stem == "BSYNC":
            # Threads that split at BSSY go on together where it said.
            after = (meet.get(operands[0].strip(), i + 1),)
            after += (i + 1,) if conditional and after != (i + 1,) else ()
        else:
            after = (i + 1,)
        result.append(tuple(dict.fromkeys(after)))
    return result


def _has_condition(instruction: Instruction) -> bool:
    """Whether the first operand is a predicate: BRA.U UP0, `(.L_x_2)`."""
    return instruction.operands.lstrip("!").startswith(("P", "UP"))


def _predecessors(graph: Sequence[Block]) -> list[list[int]]:
    before: list[list[int]] = [[] for _ in graph]
    for number, block in enumerate(graph):
        for after in block.successors:
            before[after].append(number)
    return before


def _dominators(graph: Sequence[Block]) -> list[int]:
    """Per block the set of blocks that every path from the entry passes, as bits."""
    before = _predecessors(graph)
    everything = (1 << len(graph)) - 1
    # The entry, and code that nothing jumps to (subroutines), begin paths of their own.
    result = [everything if before[n] and n else 1 << n for n in range(len(graph))]
    changed = True
    while changed:
        changed = False
        for number in range(1, len(graph)):
            if not before[number]:
                continue
            common = everything
            for previous in before[number]:
                common &= result[previous]
            common |= 1 << number
            if common != result[number]:
                result[number], changed = common, True
    return result
