"""Running a kernel: arguments in, all blocks of a grid one after another, buffers back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

import kernels.ptxsim.families  # noqa: F401 - registers the instructions
from kernels.ptxsim.block import Block, Environment
from kernels.ptxsim.formats import NUMPY, UNSIGNED, Array
from kernels.ptxsim.memory import Arena
from kernels.ptxsim.parser import Instruction, Parameter, Program, parse
from kernels.ptxsim.scheduler import Schedule, Scheduler
from kernels.ptxsim.tensormap import TensorMap
from kernels.ptxsim.trace import Trace, Traffic


@dataclass(frozen=True)
class Pointer:
    """An argument that points into a buffer, `offset` bytes from its start."""

    buffer: Array
    offset: int = 0


# Triton appends pointers to scratch memory, of the kernel and of its profiler.
_SCRATCH_POINTERS = 2
Argument: TypeAlias = "Array | Pointer | TensorMap | int | float"


@dataclass
class Statistics:
    """What ran: warp instructions by kind and by number in the program, and traffic if traced."""

    instructions: Counter[str] = field(default_factory=Counter)
    traffic: Traffic | None = None
    counts: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """Warp instructions in all."""
        return sum(self.instructions.values())


class Simulation:
    """A kernel's PTX, parsed once and run as often as wanted.

    Raises Unimplemented where the text is not of the kind that Triton writes.
    """

    def __init__(self, ptx: str) -> None:
        self.program: Program = parse(ptx)

    def run(
        self,
        arguments: Sequence[Argument],
        grid: Sequence[int],
        shared_bytes: int = 0,
        scratch_bytes: int = 0,
        seed: int = 0,
        schedule: Schedule = "warp",
        trace: bool = False,
        blocks: Iterable[int] | None = None,
        step_limit: int = 10**7,
        strict_tensor_memory: bool = False,
    ) -> Statistics:
        """Run over a grid. numpy arrays are buffers and are written in place.

        arguments: arrays, pointers, tensor maps and numbers in the order of the parameters; the two
        scratch pointers that Triton appends are filled in. scratch_bytes is for one block. blocks:
        linear numbers of the blocks to run, all by default. step_limit: instructions of one block.
        strict_tensor_memory: tcgen05.ld results exist only after tcgen05.wait::ld (Triton itself
        uses them before, which ptxas makes safe). Raises SimulationError where a check fires and
        Unimplemented for an instruction that is not known.
        """
        size = tuple(grid) + (1,) * (3 - len(grid))
        arena = Arena()
        words = _words(arguments, arena)
        missing = len(self.program.parameters) - len(words)
        if not 0 <= missing <= _SCRATCH_POINTERS:
            raise ValueError(
                f"{len(words)} argument words for {len(self.program.parameters)} parameters"
            )
        if scratch_bytes:
            scratch = np.zeros(scratch_bytes * size[0] * size[1] * size[2], np.uint8)
            words.append(arena.add(scratch))
        words += [0] * (len(self.program.parameters) - len(words))
        arena.freeze()
        if trace:
            arena.trace = Trace(arena)
        environment = Environment(
            program=self.program,
            arena=arena,
            parameters=_parameter_space(self.program, words),
            grid=(size[0], size[1], size[2]),
            shared_bytes=shared_bytes,
            unit=_unit(self.program),
            random=np.random.default_rng(seed),
            strict_tensor_memory=strict_tensor_memory,
        )
        counts = [0] * len(self.program.instructions)
        chosen = range(size[0] * size[1] * size[2]) if blocks is None else blocks
        with np.errstate(all="ignore"):
            for number in chosen:
                plane, x = divmod(number, size[0])
                index = (x, plane % size[1], plane // size[1])
                if arena.trace is not None:
                    arena.trace.new_block()
                Scheduler(Block(environment, index), schedule, counts, step_limit).run()
        arena.write_back()
        traffic = arena.trace.traffic() if arena.trace else None
        return Statistics(_by_kind(self.program, counts), traffic, tuple(counts))


def _words(arguments: Sequence[Argument], arena: Arena) -> list[Any]:
    """One value a parameter; equal buffers get one place."""
    places: dict[tuple[int, int], int] = {}

    def place(buffer: Array) -> int:
        key = (buffer.__array_interface__["data"][0], buffer.nbytes)
        if buffer.nbytes == 0 or key not in places:
            places[key] = arena.add(buffer)
        return places[key]

    words: list[Any] = []
    for argument in arguments:
        if isinstance(argument, TensorMap):
            words += argument.words(place(argument.buffer))
        elif isinstance(argument, Pointer):
            words.append(place(argument.buffer) + argument.offset)
        elif isinstance(argument, np.ndarray):
            words.append(place(argument))
        else:
            words.append(argument)
    return words


def _parameter_space(program: Program, words: Sequence[Any]) -> Array:
    space = np.zeros(program.parameter_bytes + 8, np.uint8)
    for parameter, word in zip(program.parameters, words, strict=True):
        value = _encoded(parameter, word)
        space[parameter.offset : parameter.offset + parameter.bytes] = value
    return space


def _encoded(parameter: Parameter, word: Any) -> Array:
    if parameter.kind == "tensormap":
        if not isinstance(word, np.ndarray):
            raise ValueError(f"parameter {parameter.name} takes a tensor map, not {word!r}")
        return word
    if isinstance(word, float):
        dtype = NUMPY[f"f{8 * parameter.bytes}"]
        return np.array([word], dtype).view(np.uint8)
    mask = (1 << 8 * parameter.bytes) - 1
    return np.array([int(word) & mask], UNSIGNED[parameter.bytes]).view(np.uint8)


def _unit(program: Program) -> int:
    """The largest unit of bookkeeping that no access to shared memory is smaller than."""
    unit = 16
    for found in program.instructions:
        if found.name in ("ld", "st") and any(part.startswith("shared") for part in found.opcode):
            unit = min(unit, found.times() * NUMPY[found.kind].itemsize)
        elif found.opcode[:3] in (("cp", "async", "ca"), ("cp", "async", "cg")):
            unit = min(unit, int(found.operands[2].text, 0))
        elif found.name in ("atom", "red", "mbarrier", "tensormap", "tcgen05"):
            unit = min(unit, 4)
    return unit


def _by_kind(program: Program, counts: list[int]) -> Counter[str]:
    total: Counter[str] = Counter()
    for found, count in zip(program.instructions, counts, strict=True):
        if count:
            total[label(found)] += count
    return total


def label(found: Instruction) -> str:
    """What an instruction is counted as: with the parts of its opcode that tell kinds apart."""
    if found.name in ("ld", "st"):
        return ".".join(found.opcode[:2])
    if found.name in ("cp", "ldmatrix"):
        return ".".join(found.opcode[:4])
    return ".".join(found.opcode) if found.name == "mma" else found.name
