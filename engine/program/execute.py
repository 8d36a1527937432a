"""Run a Program in numpy: the plain float64 meaning of every operation, slow and without tricks.

All backends of a Program are held against it. With dtype float32, every operation still computes
in float64 and its result is rounded once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.core.errors import ArtifactError, OptionError
from engine.program.graph import Array, Constant, Operation, Program, Value
from engine.program.meaning import MEANINGS

Observe = Callable[[Operation, Mapping[str, Array]], None]


def execute(
    program: Program,
    inputs: Mapping[str, Array],
    *,
    dtype: type[np.floating[Any]] = np.float64,
    observe: Observe | None = None,
) -> dict[str, Array]:
    """Outputs by name, [batch, *shape], of inputs by name, [batch, *shape]; batch 0 is fine.

    Floating-point values are `dtype`. `observe` is called after each operation with what it made.
    Raises OptionError if an input is missing, unknown, or of another shape or kind of number, and
    ArtifactError if the program is not what it says it is. NaN passes through.
    """
    values, batch = _checked_inputs(program, inputs, dtype)
    last_use = {name: step for step, op in enumerate(program.operations) for name in op.inputs}
    kept = {value.name for value in program.outputs}
    for step, operation in enumerate(program.operations):
        made = _run(program, operation, values, batch, dtype)
        if observe is not None:
            observe(operation, made)
        values.update(made)
        for name in (*operation.inputs, *made):
            if last_use.get(name, -1) <= step and name not in kept:
                values.pop(name, None)
    return {value.name: _read(value.name, values, program.name) for value in program.outputs}


def _checked_inputs(
    program: Program, inputs: Mapping[str, Array], dtype: type[np.floating[Any]]
) -> tuple[dict[str, Array], int]:
    """Inputs converted and given one batch, and that batch."""
    expected = {value.name: value for value in program.inputs}
    if set(inputs) != set(expected):
        raise OptionError(f"{program.name} takes the inputs {_list(expected)}, not {_list(inputs)}")
    arrays: dict[str, Array] = {}
    for name, value in expected.items():
        array = np.asarray(inputs[name])
        if (
            array.ndim == 0
            or array.shape[1:] != value.shape
            or (_shared(value) and len(array) != 1)
        ):
            raise OptionError(
                f"input {name!r} has shape {list(array.shape)}; {program.name} takes "
                f"{[1 if _shared(value) else 'batch', *value.shape]}"
            )
        number, kind = (np.integer, np.int64) if value.dtype == "int64" else (np.floating, dtype)
        if not np.issubdtype(array.dtype, number):
            raise OptionError(
                f"input {name!r} is {array.dtype}; {program.name} takes {value.dtype}"
            )
        arrays[name] = array.astype(kind)
    batches = {name: len(array) for name, array in arrays.items() if not _shared(expected[name])}
    if len(set(batches.values())) > 1:
        sizes = ", ".join(f"{name} {size}" for name, size in batches.items())
        raise OptionError(f"the inputs have different batches: {sizes}; give all the same")
    batch = next(iter(batches.values()), 1)
    values = {
        name: np.broadcast_to(array, (batch, *array.shape[1:])) for name, array in arrays.items()
    }
    return values, batch


def _shared(value: Value) -> bool:
    """Whether an input has no batch of its own, so that all samples share it."""
    return value.layout is not None and value.layout.batch is None


def _run(
    program: Program,
    operation: Operation,
    values: Mapping[str, Array],
    batch: int,
    dtype: type[np.floating[Any]],
) -> dict[str, Array]:
    if isinstance(operation, Constant):
        results: Array | tuple[Array, ...] = np.broadcast_to(
            operation.value.astype(dtype), (batch, *operation.value.shape)
        )
    else:
        results = _meant(operation, values)
    made = {}
    # Outputs that a program does not name are left out.
    for name, result in zip(
        operation.outputs, results if isinstance(results, tuple) else (results,), strict=False
    ):
        if not name:
            continue
        expected = program.values[name].shape
        if result.shape[1:] != expected:
            raise ArtifactError(
                f"{operation.name} ({operation.kind}) makes {name!r} of shape "
                f"{list(result.shape[1:])}; the program says {list(expected)}"
            )
        made[name] = result.astype(dtype) if result.dtype == np.float64 else result
    return made


def _meant(operation: Operation, values: Mapping[str, Array]) -> Array | tuple[Array, ...]:
    meaning = MEANINGS.get(type(operation))
    if meaning is None:
        raise ArtifactError(f"{operation.name}: no such operation: {type(operation).__name__}")
    # An empty name is an optional input that is left out.
    arguments = [_read(name, values, operation.name) if name else None for name in operation.inputs]
    try:
        return meaning(operation, *arguments)
    except OptionError:
        raise
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{operation.name} ({operation.kind}): {error}") from error


def _read(name: str, values: Mapping[str, Array], reader: str) -> Array:
    if name not in values:
        raise ArtifactError(f"{reader} reads {name!r}, which nothing has made")
    return values[name]


def _list(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names)) or "none"
