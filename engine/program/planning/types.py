"""Which type each value has in memory, and which layers end in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.program.graph import Convolution, Linear, Operation, Permute, Program, Reshape

ElementType = Literal["fp16", "bf16", "fp32", "uint8", "int64"]
ELEMENT_BYTES: Mapping[ElementType, int] = {
    "fp16": 2,
    "bf16": 2,
    "fp32": 4,
    "uint8": 1,
    "int64": 8,
}
Operand = Literal["fp16", "bf16", "fp32"]


@dataclass(frozen=True, slots=True)
class Precision:
    """Types of a plan: `operand` between layers; outputs are fp32, or `images` uint8.

    `images` names the output that the last layer turns into uint8, `value_range` what it spans.
    """

    operand: Operand = "fp16"
    images: str | None = None
    value_range: tuple[float, float] = (-1.0, 1.0)


def value_types(program: Program, precision: Precision) -> dict[str, ElementType]:
    """The type of every value.

    An output has its final type from the layer that makes it on, moves included, if nothing else
    reads it on the way. Otherwise it stays in the operand's type, and is converted at the end.
    """
    types: dict[str, ElementType] = {
        name: "int64" if value.dtype == "int64" else precision.operand
        for name, value in program.values.items()
    }
    made_by = {name: op for op in program.operations for name in op.outputs if name}
    readers = Counter(name for op in program.operations for name in op.inputs if name)
    for output in program.outputs:
        if types[output.name] == "int64":
            continue
        chain = _chain(output.name, made_by, readers)
        maker = made_by.get(chain[-1]) if chain else None
        if output.name == precision.images and isinstance(maker, (Convolution, Linear)):
            types.update(dict.fromkeys(chain, "uint8"))
        elif maker is not None:
            types.update(dict.fromkeys(chain, "fp32"))
    return types


def _chain(
    name: str, made_by: Mapping[str, Operation], readers: Mapping[str, int]
) -> tuple[str, ...]:
    """An output, and the values before it that only move into it; empty if it is read on."""
    chain: list[str] = []
    while readers[name] == (1 if chain else 0):
        chain.append(name)
        operation = made_by.get(name)
        if not isinstance(operation, (Reshape, Permute)):
            return tuple(chain)
        (name,) = operation.inputs
    return tuple(chain)
