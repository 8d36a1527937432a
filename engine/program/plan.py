"""The static plan of a Program: order, buffers, micro-batch, and an algorithm for every operation.

All of it is decided before anything runs, from shapes alone. Rows of a product are samples where
the batch is large and maps are small, positions where it is the other way round; whoever chooses
the kernels of a layer says which.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.core.errors import OptionError
from engine.core.units import human_bytes
from engine.program.graph import Operation, Program, Reshape
from engine.program.planning.algorithms import Algorithm, Chooser, algorithm, choose_kernels
from engine.program.planning.arena import Arena, make_arena
from engine.program.planning.order import schedule
from engine.program.planning.types import ELEMENT_BYTES, ElementType, Precision, value_types


@dataclass(frozen=True, slots=True)
class Step:
    """One operation and how it runs; `in_place` if it writes where one of its inputs lay."""

    operation: Operation
    algorithm: Algorithm
    in_place: bool


@dataclass(frozen=True)
class Plan:
    """What `make_plan` decides. Sizes are bytes; those of the arena are a sample's."""

    program: Program
    precision: Precision
    architecture: int
    batch: int
    steps: tuple[Step, ...]
    types: Mapping[str, ElementType]
    arena: Arena
    weight_bytes: int
    reasons: tuple[str, ...]


def make_plan(
    program: Program,
    *,
    precision: Precision | None = None,
    architecture: int = 90,
    batch: int = 1024,
    memory_bytes: int | None = None,
    chooser: Chooser = choose_kernels,
) -> Plan:
    """Plan a Program for a compute capability (90 for sm90) and at most `batch` samples at once.

    With a budget, the batch is the largest power of two that fits it. Raises OptionError if not
    even one sample does.
    """
    precision = precision or Precision()
    types = value_types(program, precision)

    def size(name: str) -> int:
        return math.prod(program.values[name].shape) * ELEMENT_BYTES[types[name]]

    order, why_order = schedule(program, size)
    arena = make_arena(program, order, types)
    weights = _weight_bytes(program, precision)
    batch, why_batch = _micro_batch(batch, arena.size, weights, memory_bytes)
    steps = tuple(
        Step(
            operation,
            algorithm(operation, program, types, precision, batch, architecture, chooser),
            not isinstance(operation, Reshape) and _in_place(operation, arena),
        )
        for operation in order
    )
    reasons = (why_order, why_batch)
    return Plan(program, precision, architecture, batch, steps, types, arena, weights, reasons)


def describe(plan: Plan) -> str:
    """A plan as readable lines: one for each operation, then the buffers."""
    program, arena = plan.program, plan.arena
    lines = [
        f"plan of {program.name} for sm{plan.architecture}, {plan.precision.operand}, "
        f"batches of {plan.batch}",
        *(f"  {reason}" for reason in plan.reasons),
        f"  weights {human_bytes(plan.weight_bytes)}, arena {human_bytes(arena.size)} a sample "
        f"(no placement needs less than {human_bytes(arena.lower_bound)})",
    ]
    for number, step in enumerate(plan.steps):
        operation, chosen = step.operation, step.algorithm
        shapes = " ".join(
            f"{name} {list(program.values[name].shape)} {plan.types[name]}"
            for name in operation.outputs
            if name
        )
        lines.append(
            f"{number:4} {operation.kind} {operation.name} -> {shapes}: {chosen.name}"
            + (f" {chosen.tile}" if chosen.tile else "")
            + (", in place" if step.in_place else "")
            + f" ({chosen.reason})"
        )
    lines += [
        f"     bytes {buffer.offset} to {buffer.offset + buffer.size}, steps {buffer.first} to "
        f"{buffer.last}: {', '.join(buffer.values)}"
        for buffer in arena.buffers
    ]
    return "\n".join(lines)


def parse_target(text: str) -> int:
    """'sm90' -> 90. Raises OptionError."""
    found = re.fullmatch(r"sm_?([0-9]{2,3})a?", text)
    if found is None:
        raise OptionError(f"target {text!r} is none; write sm80, sm90 or the like")
    return int(found[1])


def _micro_batch(
    asked: int, arena_bytes: int, weight_bytes: int, memory_bytes: int | None
) -> tuple[int, str]:
    if memory_bytes is None:
        return asked, f"batches of {asked}, as asked for; no memory budget was given"
    fits = (memory_bytes - weight_bytes) // max(1, arena_bytes)
    if fits < 1:
        raise OptionError(
            f"one sample takes {human_bytes(weight_bytes + arena_bytes)} with the weights, more "
            f"than the budget of {human_bytes(memory_bytes)}; give more memory"
        )
    if fits >= asked:
        return asked, f"batches of {asked}, as asked for; {fits} would fit the budget"
    batch = 1 << (fits.bit_length() - 1)
    return batch, f"batches of {batch}, the largest power of two that fits the budget (not {asked})"


def _weight_bytes(program: Program, precision: Precision) -> int:
    elements = 0
    for operation in program.operations:
        for value in vars(operation).values():
            parts = value if isinstance(value, tuple) else (value,)
            elements += sum(part.size for part in parts if isinstance(part, np.ndarray))
    return elements * ELEMENT_BYTES[precision.operand]


def _in_place(operation: Operation, arena: Arena) -> bool:
    written = {name for name in operation.outputs if name}
    return any(
        written & set(buffer.values) and set(operation.inputs) & set(buffer.values)
        for buffer in arena.buffers
    )
