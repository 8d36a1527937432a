"""PTX text to a program: registers, parameters, and instructions with parsed operands.

It reads what Triton writes: one entry, scopes in braces (inline assembly), .reg, .branchtargets.
Debugging directives are passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kernels.ptxsim.errors import Unimplemented
from kernels.ptxsim.formats import Array, size_of
from kernels.ptxsim.operands import Names, Negated, Operand, Reader, Register, split

if TYPE_CHECKING:
    from kernels.ptxsim.block import Block

TENSOR_MAP_BYTES = 128
CONTROL = frozenset(("bra", "brx", "ret", "exit", "bar", "barrier", "mbarrier"))
_REGISTER_KINDS = {"u32": "b32", "s32": "b32", "f32": "b32", "f16x2": "b32", "f16": "b16"}
_REGISTER_KINDS |= {"u16": "b16", "s16": "b16", "u64": "b64", "s64": "b64", "f64": "b64"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A kernel parameter: its PTX type, or 'tensormap', and its offset in the parameter space."""

    name: str
    kind: str
    offset: int
    bytes: int


@dataclass(slots=True)
class Instruction:
    """One instruction; `target` is where a branch goes.

    `action` is made by its family when the instruction is first reached.
    """

    opcode: tuple[str, ...]
    operands: tuple[Operand, ...]
    guard: Reader | None
    text: str
    line: int
    target: int = -1
    action: Callable[[Block, Array], Any] | None = None
    # Whether all live lanes of a warp must come together: .sync, but not the block's barriers.
    converges: bool = field(init=False)
    # Whether it has to be decided anew afterwards who runs.
    controls: bool = field(init=False)

    def __post_init__(self) -> None:
        barrier = self.name in ("bar", "barrier")
        self.converges = self.opcode[1] == "warp" if barrier else "sync" in self.opcode[1:]
        self.controls = self.name in CONTROL

    @property
    def name(self) -> str:
        """What comes before the first dot."""
        return self.opcode[0]

    @property
    def kind(self) -> str:
        """The type: the last part of the opcode."""
        return self.opcode[-1]

    def has(self, *modifiers: str) -> bool:
        """Whether the opcode has one of these parts."""
        return any(modifier in self.opcode for modifier in modifiers)

    def only(self, *modifiers: str) -> None:
        """Raise Unimplemented if the opcode has a part that is neither known nor its type."""
        unknown = [part for part in self.opcode[1:-1] if part not in modifiers]
        if unknown:
            raise Unimplemented(f"modifier .{unknown[0]}")

    def shape(self) -> tuple[int, int, int]:
        """M, N and K of a matrix instruction, from the opcode."""
        for part in self.opcode:
            if match := re.fullmatch(r"m(\d+)n(\d+)k(\d+)", part):
                return int(match[1]), int(match[2]), int(match[3])
        raise Unimplemented("matrix instruction without a shape")

    def times(self) -> int:
        """n of .xn, .vn; 1 without."""
        for part in self.opcode[1:]:
            if match := re.fullmatch(r"[xv](\d+)", part):
                return int(match[1])
        return 1


@dataclass
class Program:
    """A parsed kernel."""

    name: str
    threads: int
    parameters: tuple[Parameter, ...]
    parameter_bytes: int
    registers: list[str] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)
    tables: dict[str, list[str]] = field(default_factory=dict)

    def uses(self, name: str) -> bool:
        """Whether an instruction of this name occurs."""
        return any(instruction.name == name for instruction in self.instructions)


def parse(ptx: str) -> Program:
    """Parse the first entry of a PTX module. Raises Unimplemented for what it does not read."""
    # Comments become blank so that lines keep their numbers.
    ptx = re.sub(r"//[^\n]*", "", ptx)
    ptx = re.sub(r"/\*.*?\*/", lambda found: "\n" * found[0].count("\n"), ptx, flags=re.S)
    entry = re.search(r"\.entry\s+([\w$]+)\s*\((.*?)\)", ptx, re.S)
    if entry is None:
        raise Unimplemented("PTX without an .entry")
    start = ptx.index("{", entry.end())
    threads = re.search(r"\.(?:req|max)ntid\s+(\d+)", ptx[entry.end() : start])
    if threads is None:
        raise Unimplemented("an entry without .reqntid")
    parameters, size = _parameters(entry[2])
    program = Program(entry[1], int(threads[1]), parameters, size)
    if program.threads % 32:
        raise Unimplemented(f"{program.threads} threads are not whole warps")
    body = ptx[start + 1 : _closing(ptx, start)]
    _Body(program, 1 + ptx.count("\n", 0, start)).read(body)
    return program


def _parameters(text: str) -> tuple[tuple[Parameter, ...], int]:
    found, offset = [], 0
    for declaration in filter(str.strip, text.split(",")):
        words = declaration.split()
        match = re.fullmatch(r"([\w$]+)(?:\[(\d+)\])?", words[-1])
        if match is None:
            raise Unimplemented(f"parameter {declaration.strip()}")
        kind = next(word[1:] for word in words[1:] if re.fullmatch(r"\.[busf]\d+", word))
        size = align = size_of(kind)
        if match[2]:
            if int(match[2]) != TENSOR_MAP_BYTES:
                raise Unimplemented(f"parameter {declaration.strip()}")
            kind, size, align = "tensormap", TENSOR_MAP_BYTES, 64
        offset = -(-offset // align) * align
        found.append(Parameter(match[1], kind, offset, size))
        offset += size
    return tuple(found), offset


def _closing(text: str, start: int) -> int:
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if depth == 0:
            return place
    raise Unimplemented("braces that do not close")


class _Body:
    """Reads statements; a stack of scopes gives local registers and labels their own names."""

    def __init__(self, program: Program, line: int) -> None:
        self.program = program
        self.line = line
        self.names: list[dict[str, Register]] = [{}]
        self.scopes = [0]
        self.scopes_made = 0
        self.last_label = ""
        self.branches: list[tuple[Instruction, str, list[int]]] = []
        offsets = {parameter.name: parameter.offset for parameter in program.parameters}
        self.offsets: Mapping[str, int] = offsets

    def read(self, body: str) -> None:
        body = re.sub(r"^[ \t]*\.(loc|file|pragma|section)[^\n]*$", "", body, flags=re.M)
        for statement in body.split(";"):
            text = self._open(statement.strip())
            before = len(statement.rstrip()) - len(text)
            line = self.line + statement.count("\n", 0, before)
            self.line += statement.count("\n")
            if text:
                self._statement(" ".join(text.split()), line)
        for instruction, label, scopes in self.branches:
            inner = (f"{label}#{scope}" for scope in reversed(scopes[1:]))
            full = next((name for name in inner if name in self.program.labels), label)
            instruction.target = self.program.labels[full]

    def _open(self, text: str) -> str:
        """Take labels and braces off the front of a statement."""
        while True:
            if match := re.match(r"([$\w]+):", text):
                self.last_label = match[1]
                inner = len(self.scopes) > 1
                name = f"{match[1]}#{self.scopes[-1]}" if inner else match[1]
                self.program.labels[name] = len(self.program.instructions)
                text = text[match.end() :].strip()
            elif text.startswith("{"):
                self.scopes_made += 1
                self.scopes.append(self.scopes_made)
                self.names.append({})
                text = text[1:].strip()
            elif text.startswith("}"):
                self.scopes.pop()
                self.names.pop()
                text = text[1:].strip()
            else:
                return text

    def _statement(self, text: str, line: int) -> None:
        if match := re.match(r"\.reg\s+\.(\w+)\s+(.*)", text):
            self._registers(_REGISTER_KINDS.get(match[1], match[1]), match[2])
        elif text.startswith(".branchtargets"):
            targets = text.split(None, 1)[1].split(",")
            self.program.tables[self.last_label] = [target.strip() for target in targets]
        elif not text.startswith("."):
            self._instruction(text, line)

    def _registers(self, kind: str, names: str) -> None:
        for name in names.split(","):
            match = re.fullmatch(r"\s*([%\w$]+)(?:<(\d+)>)?\s*", name)
            if match is None:
                raise Unimplemented(f".reg {name}")
            made = [f"{match[1]}{i}" for i in range(int(match[2]))] if match[2] else [match[1]]
            for register in made:
                index = len(self.program.registers)
                self.names[-1][register] = Register(register, index, kind)
                self.program.registers.append(kind)

    def _instruction(self, text: str, line: int) -> None:
        registers: dict[str, Register] = {}
        for scope in self.names:
            registers = {**registers, **scope} if registers and scope else registers or scope
        names = Names(self.program.threads, registers, self.offsets)
        guard, rest = None, text
        if match := re.match(r"@(!?)([%\w$]+)\s+", text):
            predicate = names.operand(match[2])
            rest = text[match.end() :]
            guard = (Negated(match[2], predicate) if match[1] else predicate).reader("pred")
        opcode, _, operands = rest.partition(" ")
        parsed = tuple(names.operand(part) for part in split(operands))
        instruction = Instruction(tuple(opcode.split(".")), parsed, guard, text, line)
        if instruction.name == "bra":
            self.branches.append((instruction, parsed[0].text, list(self.scopes)))
        self.program.instructions.append(instruction)
