"""Fixed ways to break a kernel's PTX, one line at a time.

drop: leave out an instruction that orders others (barrier, wait, commit, fence, mbarrier, tcgen05).
late: wait for one group fewer.
predicate: turn over a guard or a comparison, exchange the sources of a selection.
address: move an access to memory by its own size; a box of a tensor map by one element.
operands: exchange the sources of a subtraction, or the two first of a multiply-add of matrices.
arithmetic: another operation: add for sub, left for right shift, and for or.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kernels.ptxsim.formats import NUMPY
from kernels.ptxsim.operands import split
from kernels.ptxsim.parser import Instruction, parse

_ORDERING = (
    "bar.sync",
    "barrier.sync",
    "cp.async.wait",
    "cp.async.commit",
    "cp.async.bulk.wait",
    "cp.async.bulk.commit",
    "fence",
    "wgmma.fence",
    "wgmma.commit",
    "wgmma.wait",
    "mbarrier.arrive",
    "mbarrier.expect_tx",
    "mbarrier.init",
    "mbarrier.inval",
    "tcgen05.wait",
    "tcgen05.commit",
    "tcgen05.fence",
    "tcgen05.dealloc",
    "tensormap.cp_fenceproxy",
)
_MEMORY = ("ld.global", "ld.shared", "st.global", "st.shared", "cp.async.ca", "cp.async.cg")
_MATRICES = ("ldmatrix", "stmatrix")
_OPPOSITE = {"lt": "ge", "ge": "lt", "gt": "le", "le": "gt", "eq": "ne", "ne": "eq"}
_OTHER = {"add.s32": "sub.s32", "sub.s32": "add.s32", "shl.b32": "shr.u32", "shr.u32": "shl.b32"}
_OTHER |= {"and.b32": "or.b32", "or.b32": "and.b32", "xor.b32": "and.b32", "mul.lo.s32": "add.s32"}


@dataclass(frozen=True)
class Mutant:
    """One changed instruction of a PTX text; its place is the number of the instruction."""

    operator: str
    place: int
    line: int
    before: str
    after: str

    def apply(self, ptx: str) -> str:
        """The text with the line replaced."""
        lines = ptx.split("\n")
        lines[self.line - 1] = f"\t{self.after};" if self.after else ""
        return "\n".join(lines)


def mutants(ptx: str) -> list[Mutant]:
    """All mutants of a text; instructions that share a line with something else are left alone."""
    lines, found = ptx.split("\n"), []
    for place, instruction in enumerate(parse(ptx).instructions):
        line = re.sub(r"//.*", "", lines[instruction.line - 1])
        if " ".join(line.split()) != f"{instruction.text};":
            continue
        for operator, change in _OPERATORS.items():
            found += [
                Mutant(operator, place, instruction.line, instruction.text, after)
                for after in change(instruction)
            ]
    return found


def _parts(instruction: Instruction) -> tuple[str, str, list[str]]:
    """Guard (with its blank), opcode, operands as text."""
    text = instruction.text
    guard = re.match(r"@!?[%\w$]+\s+", text)
    start = guard.end() if guard else 0
    opcode, _, operands = text[start:].partition(" ")
    return text[:start], opcode, split(operands)


def _drop(instruction: Instruction) -> Iterator[str]:
    if ".".join(instruction.opcode).startswith(_ORDERING):
        yield ""


def _late(instruction: Instruction) -> Iterator[str]:
    _, opcode, operands = _parts(instruction)
    if "wait_group" in opcode and "bulk" not in opcode:
        yield f"{opcode} {int(operands[0]) + 1}"


def _predicate(instruction: Instruction) -> Iterator[str]:
    guard, opcode, operands = _parts(instruction)
    rest = instruction.text[len(guard) :]
    if guard:
        turned = guard.replace("@!", "@") if "!" in guard else guard.replace("@", "@!")
        yield turned + rest
    if instruction.name == "setp" and instruction.opcode[1] in _OPPOSITE:
        other = _OPPOSITE[instruction.opcode[1]]
        yield f"{guard}setp.{other}.{'.'.join(instruction.opcode[2:])} {', '.join(operands)}"
    if instruction.name == "selp":
        yield f"{guard}{opcode} {', '.join((operands[0], operands[2], operands[1], operands[3]))}"


def _address(instruction: Instruction) -> Iterator[str]:
    guard, opcode, operands = _parts(instruction)
    if opcode.startswith("cp.async.bulk.tensor"):
        for number, operand in enumerate(operands):
            if match := re.fullmatch(r"\[(.*)\{(%\w+)(.*)\}\]", operand):
                # A coordinate for another one: the first is taken for the last.
                last = match[3].split(",")[-1].strip() or match[2]
                moved = f"[{match[1]}{{{last}{match[3]}}}]"
                if moved != operand:
                    changed = [*operands[:number], moved, *operands[number + 1 :]]
                    yield f"{guard}{opcode} {', '.join(changed)}"
        return
    if not opcode.startswith(_MEMORY + _MATRICES):
        return
    size = 16 if opcode.startswith(_MATRICES) else _access_bytes(instruction, operands)
    for number, operand in enumerate(operands):
        match = re.fullmatch(r"\[\s*([%\w$]+)(?:\s*\+\s*(-?\d+))?\s*\]", operand)
        if match:
            moved = f"[{match[1]}+{int(match[2] or 0) + size}]"
            changed = [*operands[:number], moved, *operands[number + 1 :]]
            yield f"{guard}{opcode} {', '.join(changed)}"


def _access_bytes(instruction: Instruction, operands: list[str]) -> int:
    if instruction.name == "cp":
        return int(operands[2], 0)
    return instruction.times() * int(NUMPY[instruction.kind].itemsize)


def _operands(instruction: Instruction) -> Iterator[str]:
    guard, opcode, operands = _parts(instruction)
    if instruction.name == "sub":
        yield f"{guard}{opcode} {', '.join((operands[0], operands[2], operands[1]))}"
    if instruction.name == "mma" and operands[1] != operands[2]:
        registers = operands[1][1:-1].split(",")
        turned = "{" + ",".join(registers[::-1]) + "}"
        yield f"{guard}{opcode} {', '.join((operands[0], turned, *operands[2:]))}"
    if opcode.startswith(("wgmma.mma", "tcgen05.mma")) and operands[1] != operands[2]:
        swapped = (operands[0], operands[2], operands[1], *operands[3:])
        if not operands[1].startswith(("{", "[")):
            yield f"{guard}{opcode} {', '.join(swapped)}"


def _arithmetic(instruction: Instruction) -> Iterator[str]:
    guard, opcode, operands = _parts(instruction)
    if opcode in _OTHER:
        yield f"{guard}{_OTHER[opcode]} {', '.join(operands)}"


_OPERATORS: dict[str, Callable[[Instruction], Iterator[str]]] = {
    "drop": _drop,
    "late": _late,
    "predicate": _predicate,
    "address": _address,
    "operands": _operands,
    "arithmetic": _arithmetic,
}
OPERATORS = tuple(_OPERATORS)
