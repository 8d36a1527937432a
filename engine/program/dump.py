"""A Program as text: inputs, one line for each operation, outputs, totals."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from engine.program.cost import flops, parameters
from engine.program.graph import Activation, Operation, Program, Value
from kernels.geometry import Geometry

_KIBI = 1024
_BYTES_PER_NUMBER = 4
# A cell wider than this moves its own line only, not those of all others.
_WIDEST = 72
# What every operation has, and what its line tells in words of its own.
_TOLD = ("name", "inputs", "outputs", "geometry", "activation", "shape")


def dump(program: Program) -> str:
    """The Program's text. FLOPs are useful ones of products, for one sample."""
    rows: list[list[str]] = [
        *(["input", value.name, *_value(value)] for value in program.inputs),
        *(_operation(operation, program) for operation in program.operations),
        *(["output", value.name, *_value(value)] for value in program.outputs),
    ]
    count = sum(parameters(operation) for operation in program.operations)
    work = sum(flops(operation, program.values) for operation in program.operations)
    size = count * _BYTES_PER_NUMBER / _KIBI
    total = (
        f"total: {len(program.operations)} operations, {count:,} numbers ({size:,.1f} KiB), "
        f"{work:,} FLOP a sample"
    )
    return "\n".join([f"program {program.name}", *_aligned(rows), total]) + "\n"


def record(program: Program) -> dict[str, Any]:
    """The same as plain data, for JSON."""
    return {
        "name": program.name,
        "inputs": [_record_value(value) for value in program.inputs],
        "operations": [
            {
                "kind": operation.kind,
                "name": operation.name,
                "inputs": list(operation.inputs),
                "outputs": list(operation.outputs),
                "shapes": [list(program.values[name].shape) for name in operation.outputs],
                "details": _details(operation),
                "parameters": parameters(operation),
                "flops": flops(operation, program.values),
            }
            for operation in program.operations
        ],
        "outputs": [_record_value(value) for value in program.outputs],
    }


def _value(value: Value) -> list[str]:
    told = f"{value.dtype} {_shape(value.shape)}"
    if value.layout is None:
        return [told]
    source = ", ".join("batch" if size == -1 else str(size) for size in value.layout.source)
    return [told, f"ONNX [{source}], axes {_shape(value.layout.axes)}"]


def _record_value(value: Value) -> dict[str, Any]:
    plain: dict[str, Any] = {"name": value.name, "shape": list(value.shape), "dtype": value.dtype}
    if value.layout is not None:
        plain["onnx_shape"] = list(value.layout.source)
        plain["onnx_axes"] = list(value.layout.axes)
        plain["onnx_batch_axis"] = value.layout.batch
    return plain


def _operation(operation: Operation, program: Program) -> list[str]:
    values = program.values
    given = ", ".join(f"{name} {_shape(values[name].shape)}" for name in operation.inputs)
    made = ", ".join(f"{name} {_shape(values[name].shape)}" for name in operation.outputs)
    count, work = parameters(operation), flops(operation, values)
    costs = [f"{count:,} numbers"] if count else []
    costs += [f"{work:,} FLOP"] if work else []
    told = "; ".join(part for part in (_details(operation), ", ".join(costs)) if part)
    return [operation.kind, operation.name, f"{given} -> {made}" if given else f"-> {made}", told]


def _details(operation: Operation) -> str:
    parts: list[str] = []
    geometry: Geometry | None = getattr(operation, "geometry", None)
    if geometry is not None:
        parts.append(_geometry(geometry))
    for entry in fields(operation):
        value = getattr(operation, entry.name)
        if entry.name in _TOLD or value is None:
            continue
        if isinstance(value, np.ndarray):
            parts.append(f"{entry.name} {_shape(value.shape)}")
        elif isinstance(value, tuple) and any(isinstance(part, np.ndarray) for part in value):
            told = (_shape(part.shape) if part is not None else "-" for part in value)
            parts.append(f"{entry.name} {' '.join(told)}")
        elif value != entry.default:
            parts.append(f"{entry.name} {_plain(value)}")
    activation: Activation | None = getattr(operation, "activation", None)
    if activation is not None and activation.kind != "none":
        parts.append(_activation(activation))
    return ", ".join(parts)


def _geometry(geometry: Geometry) -> str:
    told = (
        f"{geometry.direction} kernel {_sizes(geometry.kernel)} stride {_sizes(geometry.stride)} "
        f"padding {_sizes(geometry.padding)}"
    )
    if any(step != 1 for step in geometry.dilation):
        told += f" dilation {_sizes(geometry.dilation)}"
    return told


def _activation(activation: Activation) -> str:
    numbers = [f"{number:.6g}" for number in (activation.alpha, activation.beta) if number]
    return f"{activation.kind}({', '.join(numbers)})" if numbers else activation.kind


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return _shape(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _sizes(sizes: tuple[int, ...]) -> str:
    return "x".join(str(size) for size in sizes)


def _shape(shape: tuple[int, ...]) -> str:
    return f"[{', '.join(str(size) for size in shape)}]"


def _aligned(rows: list[list[str]]) -> list[str]:
    """Columns as wide as their widest cell; the last cell of a row is free."""
    columns = max(len(row) for row in rows) - 1
    widths = [
        max((len(row[at]) for row in rows if len(row) > at + 1), default=0) for at in range(columns)
    ]
    return [
        "  ".join(
            cell.ljust(widths[at]) if at < len(row) - 1 else cell for at, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]
