"""A Program as JSON and arrays, and back."""

from __future__ import annotations

from collections.abc import Sequence
from reprlib import repr as brief
from typing import Any

from engine.core.errors import ArtifactError
from engine.core.records import (
    ArrayTable,
    Floats,
    decode_record,
    encode_record,
)
from engine.program.check import check_program
from engine.program.graph import OPERATIONS, Operation, Program, Value


def encode_program(program: Program, table: ArrayTable) -> dict[str, Any]:
    """Values in their order, operations in theirs, inputs and outputs by name."""
    return {
        "name": program.name,
        "inputs": [value.name for value in program.inputs],
        "outputs": [value.name for value in program.outputs],
        "values": [encode_record(value, table) for value in program.values.values()],
        "operations": [
            {"kind": operation.kind, **encode_record(operation, table)}
            for operation in program.operations
        ],
    }


def decode_programs(values: Any, arrays: Sequence[Floats]) -> dict[str, Program]:
    """Programs by entry point. Raises ArtifactError."""
    if not isinstance(values, dict):
        raise ArtifactError("the file lists no programs")
    return {str(name): decode_program(value, arrays) for name, value in values.items()}


def decode_program(values: Any, arrays: Sequence[Floats]) -> Program:
    """A Program whose shapes and names have been checked. Raises ArtifactError."""
    match values:
        case {
            "name": str(name),
            "inputs": list(inputs),
            "outputs": list(outputs),
            "values": list(flowing),
            "operations": list(operations),
        }:
            pass
        case _:
            raise ArtifactError("a program lacks name, inputs, outputs, values or operations")
    known: dict[str, Value] = {}
    for record in flowing:
        value: Value = decode_record(record, Value, arrays)
        if value.name in known:
            raise ArtifactError(f"the value {value.name!r} stands twice in program {name!r}")
        known[value.name] = value
    program = Program(
        name=name,
        inputs=tuple(_named(known, item) for item in inputs),
        outputs=tuple(_named(known, item) for item in outputs),
        operations=tuple(_operation(item, arrays) for item in operations),
        values=known,
    )
    check_program(program)
    return program


def _named(known: dict[str, Value], name: Any) -> Value:
    if not isinstance(name, str) or name not in known:
        raise ArtifactError(f"the program speaks of a value {name!r} that it does not have")
    return known[name]


def _operation(values: Any, arrays: Sequence[Floats]) -> Operation:
    if not isinstance(values, dict) or not isinstance(values.get("kind"), str):
        raise ArtifactError(f"an operation without a kind: {brief(values)}")
    fields = dict(values)
    kind = fields.pop("kind")
    if kind not in OPERATIONS:
        raise ArtifactError(
            f"the operation {kind!r} of {fields.get('name')!r} is unknown here; the file may be "
            "of a newer version of this package"
        )
    try:
        operation: Operation = decode_record(fields, OPERATIONS[kind], arrays)
    except ArtifactError as error:
        raise ArtifactError(f"{kind} {fields.get('name')!r}: {error}") from error
    return operation
