"""How the tensors of a spec and the values of its Programs correspond.

A spec has channels first, [C, *sizes], as ONNX and PyTorch do; a Program has them last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.core.errors import ArtifactError
from engine.core.spec import GeneratorSpec
from engine.program.graph import Array, Embedding, Program, Shape, Value

ENCODER_INPUT = "images"
ENCODER_OUTPUTS = ("mean", "logvar")


def tensors(spec: GeneratorSpec, entry_point: str) -> tuple[dict[str, Shape], dict[str, Shape]]:
    """Names and shapes of an entry point's inputs and outputs, channels first."""
    labels = {} if spec.condition is None else {spec.condition.name: spec.condition.shape}
    if entry_point == "encoder":
        posterior = dict.fromkeys(ENCODER_OUTPUTS, spec.latent.shape)
        return {ENCODER_INPUT: spec.output.shape, **labels}, posterior
    noise = {item.name: item.shape for item in (spec.latent, *spec.noise)}
    further = {item.name: item.shape for item in spec.further}
    return {**noise, **labels}, {spec.output.name: spec.output.shape, **further}


def channels_last(shape: Shape) -> Shape:
    """[C, *sizes] -> [*sizes, C]."""
    return (*shape[1:], *shape[:1])


def to_program(array: Array, value: Value) -> Array:
    """[batch, C, *sizes] of the spec -> [batch, *shape] of a Program's input.

    Without a layout channels are moved to the end; where only sizes of 1 differ, the elements
    keep their order.
    """
    if value.layout is not None and value.layout.batch is None and len(array) == 1:
        # All samples share it.
        return value.layout.to_program(array[0].reshape(value.layout.source))
    if value.layout is not None and len(value.layout.source) == array.ndim:
        return value.layout.to_program(array)
    if array.ndim > 2 and channels_last(array.shape[1:]) == value.shape:
        return np.moveaxis(array, 1, -1)
    return array.reshape(len(array), *value.shape)


def from_program(array: Any, value: Value, shape: Shape) -> Any:
    """[batch, *shape of a Program's output] -> [batch, *shape] of the spec.

    Takes numpy arrays and torch tensors, and gives a view where it can.
    """
    if value.layout is not None and value.layout.batch == 0:
        order = (0, *value.layout.axes)
        array = _permuted(array, tuple(order.index(axis) for axis in range(array.ndim)))
    elif len(shape) > 1 and value.shape == channels_last(shape):
        array = _permuted(array, (0, array.ndim - 1, *range(1, array.ndim - 1)))
    return array.reshape(len(array), *shape)


def check_entry_points(spec: GeneratorSpec, programs: Mapping[str, Program]) -> None:
    """Raise ArtifactError where the Programs are not those that the spec speaks of."""
    if set(programs) != set(spec.entry_points):
        raise ArtifactError(
            f"it holds programs for {', '.join(programs) or 'nothing'}, its spec speaks of "
            f"{', '.join(spec.entry_points)}"
        )
    for entry_point, program in programs.items():
        inputs, outputs = tensors(spec, entry_point)
        given = {value.name: value.shape for value in program.inputs}
        made = {value.name: value.shape for value in program.outputs}
        _compare(f"the {entry_point} takes", given, inputs)
        if not set(outputs) <= set(made):
            raise ArtifactError(
                f"the {entry_point} gives {', '.join(made)}, its spec says {', '.join(outputs)}"
            )
        _compare(f"the {entry_point} gives", {name: made[name] for name in outputs}, outputs)
        _check_classes(spec, entry_point, program)


def _check_classes(spec: GeneratorSpec, entry_point: str, program: Program) -> None:
    """A class without a row in its table would be read from beyond the table."""
    for operation in program.operations:
        if not isinstance(operation, Embedding) or spec.condition is None:
            continue
        rows = len(operation.table)
        if operation.inputs == (spec.condition.name,) and rows < len(spec.classes):
            raise ArtifactError(
                f"the {entry_point}'s table {operation.name!r} has {rows} rows for "
                f"{len(spec.classes)} classes"
            )


def _compare(what: str, given: Mapping[str, Shape], wanted: Mapping[str, Shape]) -> None:
    if set(given) != set(wanted):
        raise ArtifactError(f"{what} {', '.join(given)}, its spec says {', '.join(wanted)}")
    for name, shape in wanted.items():
        fits = given[name] == channels_last(shape) or _without_ones(given[name]) == _without_ones(
            shape
        )
        if not fits:
            raise ArtifactError(
                f"{what} {name!r} of shape {list(given[name])} (channels last), its spec says "
                f"{list(shape)} (channels first)"
            )


def _without_ones(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


def _permuted(array: Any, axes: tuple[int, ...]) -> Any:
    return array.permute(axes) if hasattr(array, "permute") else array.transpose(axes)
