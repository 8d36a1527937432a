"""Does a Program hold together? Names, order, shapes and weights, before anything runs.

Each operation has a rule that tells its output shapes from its input shapes, and fails where
its weights or attributes do not fit them. An empty name is an optional input or output that is
left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from engine.core.errors import ArtifactError
from engine.program.graph import Operation, Program, Shape, Value
from engine.program.shapes import RULES, output_shapes

# Offsets within a tensor are 32-bit in the kernels, and one sample must fit.
LARGEST_VALUE = 2**31 - 1


def check_program(program: Program) -> None:
    """Raise ArtifactError naming the operation that does not fit, or the value that is missing."""
    for name, value in program.values.items():
        _check_value(name, value)
    written = set()
    for value in program.inputs:
        _require(program.values.get(value.name) == value, f"input {value.name!r} is not a value")
        written.add(value.name)
    _require(len(written) == len(program.inputs), "two inputs have the same name")
    for operation in program.operations:
        where = f"{operation.kind} {operation.name!r}"
        for name in filter(None, operation.inputs):
            _require(name in written, f"{where} reads {name!r} before it is made")
        for name in filter(None, operation.outputs):
            _require(name in program.values, f"{where} writes {name!r}, which has no shape")
            _require(name not in written, f"{where} writes {name!r} a second time")
        try:
            _check_shapes(operation, program.values)
        except ValueError as error:
            raise ArtifactError(f"program {program.name!r}: {where}: {error}") from error
        written.update(filter(None, operation.outputs))
    _require(bool(program.outputs), f"program {program.name!r} has no outputs")
    for value in program.outputs:
        _require(program.values.get(value.name) == value, f"output {value.name!r} is not a value")
        _require(value.name in written, f"output {value.name!r} is never made")


def _check_shapes(operation: Operation, values: Mapping[str, Value]) -> None:
    # What has no rule yet is held to its names alone.
    if type(operation) not in RULES:
        return
    given = tuple(values[name].shape for name in operation.inputs if name)
    shapes = output_shapes(operation, given)
    if len(operation.outputs) > len(shapes):
        raise ValueError(f"has {len(shapes)} outputs, not {len(operation.outputs)}")
    named = [(name, shape) for name, shape in zip(operation.outputs, shapes, strict=False) if name]
    made = tuple(shape for _, shape in named)
    declared = tuple(values[name].shape for name, _ in named)
    if made != declared:
        raise ValueError(
            f"gives {_listed(made)} for {_listed(given)}, its outputs are said to be "
            f"{_listed(declared)}"
        )


def _check_value(name: str, value: Value) -> None:
    sound = (
        name == value.name
        and bool(name)
        and all(length >= 1 for length in value.shape)
        and math.prod(value.shape) <= LARGEST_VALUE
    )
    _require(sound, f"the value {name!r} cannot have the shape {list(value.shape)}")
    if value.layout is not None:
        layout = value.layout
        order = layout.axes if layout.batch is None else (layout.batch, *layout.axes)
        fits = sorted(order) == list(range(len(layout.source))) and value.shape == tuple(
            layout.source[axis] for axis in layout.axes
        )
        _require(fits, f"the value {name!r} of {list(value.shape)} cannot lie as {layout}")


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ArtifactError(problem)


def _listed(shapes: tuple[Shape, ...]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes) or "nothing"
