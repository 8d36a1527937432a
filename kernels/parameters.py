"""What a compiled kernel is passed: its parameters in order, with their sizes.

Triton's order (3.7 to 3.9): the arguments that are not constants, as the kernel's signature has
them, then a pointer to global and one to profiling scratch memory. A tensor descriptor that the
host makes is its 128-byte CUtensorMap, then its shape as 32-bit and its strides as 64-bit integers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from kernels.launch import Launch

ParameterKind = Literal["pointer", "integer", "tensor_map", "shape", "stride", "scratch"]

_SIZES: dict[ParameterKind, int] = {
    "pointer": 8,
    "integer": 4,
    "tensor_map": 128,
    "shape": 4,
    "stride": 8,
    "scratch": 8,
}
_DESCRIPTOR = re.compile(r"tensordesc<\w+\[([\d, ]+)\]>")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `argument` is the launch's argument that it comes from ('' for scratch)."""

    argument: str
    kind: ParameterKind

    @property
    def size(self) -> int:
        """Bytes."""
        return _SIZES[self.kind]


def parameters(launch: Launch) -> tuple[Parameter, ...]:
    """The parameters of a launch's kernel, in order."""
    found: list[Parameter] = []
    for name, kind in launch.signature().items():
        if kind == "constexpr":
            continue
        if descriptor := _DESCRIPTOR.fullmatch(kind):
            rank = len(descriptor[1].split(","))
            found.append(Parameter(name, "tensor_map"))
            found += [Parameter(name, "shape")] * rank + [Parameter(name, "stride")] * rank
        else:
            found.append(Parameter(name, "pointer" if kind.startswith("*") else "integer"))
    return (*found, Parameter("", "scratch"), Parameter("", "scratch"))
