"""Run a Program in numpy: the plain float64 meaning of every operation, slow and without tricks.

All backends of a Program are held against it. With dtype float32, every operation still computes
in float64 and its result is rounded once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import ArtifactError, OptionError
from engine.program import graph
from engine.program.graph import Activation, Array, Operation, Program
from kernels.reference import arithmetic, convolution, layout, linear, normalisation, resampling
from kernels.reference import recurrent as cells
from kernels.reference.activation import activation

Doubles = NDArray[np.float64]
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
    values = _checked_inputs(program, inputs, dtype)
    last_use = {name: step for step, op in enumerate(program.operations) for name in op.inputs}
    kept = {value.name for value in program.outputs}
    for step, operation in enumerate(program.operations):
        made = _run(program, operation, values, dtype)
        if observe is not None:
            observe(operation, made)
        values.update(made)
        for name in (*operation.inputs, *made):
            if last_use.get(name, -1) <= step and name not in kept:
                values.pop(name, None)
    return {value.name: _read(value.name, values, program.name) for value in program.outputs}


def _checked_inputs(
    program: Program, inputs: Mapping[str, Array], dtype: type[np.floating[Any]]
) -> dict[str, Array]:
    expected = {value.name: value for value in program.inputs}
    if set(inputs) != set(expected):
        raise OptionError(f"{program.name} takes the inputs {_list(expected)}, not {_list(inputs)}")
    checked: dict[str, Array] = {}
    for name, value in expected.items():
        array = np.asarray(inputs[name])
        if array.ndim == 0 or array.shape[1:] != value.shape:
            raise OptionError(
                f"input {name!r} has shape {list(array.shape)}; {program.name} takes "
                f"{['batch', *value.shape]}"
            )
        number, kind = (np.integer, np.int64) if value.dtype == "int64" else (np.floating, dtype)
        if not np.issubdtype(array.dtype, number):
            raise OptionError(
                f"input {name!r} is {array.dtype}; {program.name} takes {value.dtype}"
            )
        checked[name] = array.astype(kind)
    if len({len(array) for array in checked.values()}) > 1:
        sizes = ", ".join(f"{name} {len(array)}" for name, array in checked.items())
        raise OptionError(f"the inputs have different batches: {sizes}; give all the same")
    return checked


def _run(
    program: Program,
    operation: Operation,
    values: Mapping[str, Array],
    dtype: type[np.floating[Any]],
) -> dict[str, Array]:
    function = FUNCTIONS.get(type(operation))
    if function is None:
        raise ArtifactError(f"{operation.name}: no such operation: {type(operation).__name__}")
    # An empty name is an optional input that is left out.
    arguments = [_read(name, values, operation.name) if name else None for name in operation.inputs]
    try:
        results = function(operation, *arguments)
    except OptionError:
        raise
    except (ValueError, TypeError) as error:
        raise ArtifactError(f"{operation.name} ({operation.kind}): {error}") from error
    results = results if isinstance(results, tuple) else (results,)
    made = {}
    for name, result in zip(operation.outputs, results, strict=False):
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


def _read(name: str, values: Mapping[str, Array], reader: str) -> Array:
    if name not in values:
        raise ArtifactError(f"{reader} reads {name!r}, which nothing has made")
    return values[name]


def _end(value: Doubles, end: Activation) -> Doubles:
    return activation(value, end.kind, end.alpha, end.beta)


def _convolution(op: graph.Convolution, x: Array) -> Doubles:
    out = convolution.convolution(x, op.weight, op.geometry, op.groups)
    return _end(arithmetic.affine(out, shift=op.shift), op.activation)


def _linear(op: graph.Linear, x: Array) -> Doubles:
    out = linear.linear(x, op.weight)
    return _end(arithmetic.affine(out, shift=op.shift), op.activation)


def _elementwise(op: graph.Elementwise, x: Array) -> Doubles:
    return _end(np.asarray(x, np.float64), op.activation)


def _add(op: graph.Add, *values: Array) -> Doubles:
    return _end(arithmetic.add(*values), op.activation)


def _concat(op: graph.Concat, *values: Array) -> Doubles:
    return layout.concat(*values, axis=_axis(op.axis))


def _reshape(op: graph.Reshape, x: Array) -> Array:
    return x.reshape(len(x), *op.shape)


def _permute(op: graph.Permute, x: Array) -> Array:
    return x.transpose(0, *(_axis(axis) for axis in op.axes))


def _upsample(op: graph.Upsample, x: Array) -> Doubles:
    return resampling.upsample(x, op.scales)


def _instance_norm(op: graph.InstanceNorm, x: Array) -> Doubles:
    return _end(normalisation.instance_norm(x, op.scale, op.shift, op.epsilon), op.activation)


def _embedding(op: graph.Embedding, index: Array) -> Doubles:
    if index.size and not 0 <= index.min() <= index.max() < len(op.table):
        raise OptionError(
            f"{op.name} looks up {index.min()} to {index.max()}; give 0 to {len(op.table) - 1}"
        )
    return layout.embedding(index, op.table)


def _recurrent(
    op: graph.Recurrent, x: Array, h: Array | None = None, c: Array | None = None
) -> tuple[Doubles, ...]:
    weights = cells.Weights(op.cell, op.weight, op.recurrent, op.bias, op.recurrent_bias)
    states, h, c = cells.sequence(
        x, weights, h, c, reverse=op.reverse, linear_before_reset=op.linear_before_reset
    )
    return (states, h) if c is None else (states, h, c)


def _axis(axis: int) -> int:
    """An axis counted without the batch as one counted with it."""
    return axis + 1 if axis >= 0 else axis


def _list(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names)) or "none"


FUNCTIONS: Mapping[type[Operation], Callable[..., Array | tuple[Array, ...]]] = {
    graph.Convolution: _convolution,
    graph.Linear: _linear,
    graph.Elementwise: _elementwise,
    graph.Add: _add,
    graph.Concat: _concat,
    graph.Reshape: _reshape,
    graph.Permute: _permute,
    graph.Upsample: _upsample,
    graph.InstanceNorm: _instance_norm,
    graph.Embedding: _embedding,
    graph.Recurrent: _recurrent,
}
