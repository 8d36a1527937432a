"""One compiled kernel, read: what its binary says about registers, memory and instructions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from kernels.compile import Compiled
from kernels.inspect.accesses import Direction, accesses
from kernels.inspect.cubin import Cubin, read_cubin
from kernels.inspect.flow import MainLoop, main_loop
from kernels.inspect.occupancy import ctas_per_multiprocessor
from kernels.inspect.sass import disassemble
from kernels.parameters import Parameter, parameters


@dataclass(frozen=True, slots=True)
class GlobalAccess:
    """Global accesses of one kind: of which arguments, how many bytes a thread, how many of them.

    No arguments: a tensor-map copy, or an address that could not be followed to a parameter.
    """

    arguments: tuple[str, ...]
    direction: Direction
    bytes: int
    tensor_map: bool
    count: int


@dataclass(frozen=True)
class Reading:
    """Figures of one binary; sizes in bytes. shared_bytes is what a launch asks for."""

    architecture: int
    registers: int
    stack_bytes: int
    spill_loads: int
    spill_stores: int
    shared_bytes: int
    tensor_memory_columns: int
    warps: int
    ctas_per_multiprocessor: int
    instructions: int
    tensor_instructions: Mapping[str, int]
    loop: MainLoop | None
    accesses: tuple[GlobalAccess, ...]
    cubin_bytes: int


def read(compiled: Compiled) -> Reading:
    """Read a kernel compiled for an NVIDIA architecture.

    Raises ValueError if the binary's parameters are not those that the launch passes, TypeError if
    it is for another make of GPU.
    """
    if not isinstance(compiled.architecture, int):
        raise TypeError(f"{compiled.architecture!r} has no SASS to read")
    data = compiled.asm["cubin"]
    cubin = read_cubin(data)
    passed = parameters(compiled.launch)
    check_parameters(cubin, passed)
    code = disassemble(data)
    columns = getattr(compiled.metadata, "tmem_size", 0) or 0
    found = accesses(code, cubin)
    stems = Counter(instruction.stem for instruction in code)
    return Reading(
        architecture=compiled.architecture,
        registers=cubin.registers,
        stack_bytes=cubin.stack_bytes,
        spill_loads=stems["LDL"],
        spill_stores=stems["STL"],
        shared_bytes=compiled.shared_bytes,
        tensor_memory_columns=columns,
        warps=compiled.num_warps,
        ctas_per_multiprocessor=ctas_per_multiprocessor(
            compiled.architecture,
            cubin.registers,
            compiled.num_warps,
            compiled.shared_bytes,
            columns,
        ),
        instructions=len(code),
        tensor_instructions=Counter(each.opcode for each in code if each.multiplies_matrices),
        loop=main_loop(code),
        accesses=tuple(
            GlobalAccess(
                tuple(passed[ordinal].argument for ordinal in access.ordinals),
                access.direction,
                access.bytes,
                access.tensor_map,
                count,
            )
            for access, count in found.items()
        ),
        cubin_bytes=len(data),
    )


def check_parameters(cubin: Cubin, passed: tuple[Parameter, ...]) -> None:
    """Raise ValueError unless the cubin's records have the sizes of what will be passed."""
    recorded = [parameter.size for parameter in cubin.parameters]
    expected = [parameter.size for parameter in passed]
    if recorded != expected:
        raise ValueError(
            f"{cubin.name}: the binary takes parameters of {recorded} bytes, "
            f"the launch passes {expected}"
        )
