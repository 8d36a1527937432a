"""SASS: the machine instructions of a cubin, from the disassembler that Triton brings along."""

from __future__ import annotations

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

# Opcodes that multiply matrices, by their first part: mma.sync, wgmma and tcgen05, all types.
TENSOR_OPCODES = frozenset(
    {"HMMA", "IMMA", "QMMA", "OMMA", "DMMA", "HGMMA", "IGMMA", "QGMMA"}
    | {"UTCHMMA", "UTCIMMA", "UTCQMMA", "UTCOMMA"}
)

_INSTRUCTION = re.compile(
    r"\s*/\*([0-9a-f]{4,})\*/\s+(?:\{\s*)?(@!?U?P\w+\s+)?([A-Z][\w.]*)\s*(.*?)\s*;"
)
_LABEL = re.compile(r"^(\.L_\w+|\$?\w+):")
_TARGET = re.compile(r"`\(([.$\w]+)\)")
# A jump through a table lists where it may go.
_TABLE = re.compile(r"BRANCH_TARGETS ([^\"*]+)")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `targets` are the addresses that its operands name as labels."""

    address: int
    predicate: str
    opcode: str
    operands: str
    targets: tuple[int, ...] = ()

    @property
    def stem(self) -> str:
        """The opcode without its modifiers: LDG of LDG.E.128."""
        return self.opcode.partition(".")[0]

    @property
    def modifiers(self) -> tuple[str, ...]:
        """What follows the opcode's stem: E and 128 of LDG.E.128."""
        return tuple(self.opcode.split(".")[1:])

    @property
    def multiplies_matrices(self) -> bool:
        """Whether it runs on the tensor cores."""
        return self.stem in TENSOR_OPCODES


def tool(name: str) -> Path:
    """One of the programs in the Triton package. Raises FileNotFoundError."""
    import triton

    path = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / name
    if not path.is_file():
        raise FileNotFoundError(f"{path}: this build of Triton comes without {name}")
    return path


def disassemble(cubin: bytes) -> tuple[Instruction, ...]:
    """All instructions of a cubin, in order. Raises RuntimeError if it cannot be read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        done = subprocess.run(
            [tool("nvdisasm"), "-c", path], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise RuntimeError(f"nvdisasm: {done.stderr.strip() or done.returncode}")
    return parse(done.stdout)


def parse(text: str) -> tuple[Instruction, ...]:
    """Instructions in the text of `nvdisasm -c`. Raises ValueError if there are none."""
    labels: dict[str, int] = {}
    waiting: list[str] = []
    found: list[tuple[int, str, str, str]] = []
    for line in text.splitlines():
        if label := _LABEL.match(line):
            waiting.append(label[1])
        elif match := _INSTRUCTION.match(line):
            address = int(match[1], 16)
            labels.update(dict.fromkeys(waiting, address))
            waiting.clear()
            found.append((address, (match[2] or "").strip(), match[3], match[4]))
    if not found:
        raise ValueError("no instructions in the disassembly")
    return tuple(Instruction(*parts, targets=_targets(parts[3], labels)) for parts in found)


def _targets(operands: str, labels: dict[str, int]) -> tuple[int, ...]:
    table = _TABLE.search(operands)
    names = re.split(r"[,\s]+", table[1].strip()) if table else _TARGET.findall(operands)
    return tuple(labels[name] for name in names if name in labels)
