"""The graph's outputs as values of the Program, and the Program itself."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from engine.core.errors import NumericalError
from engine.program.graph import Operation, Program, Reshape
from engine.program.lowering.context import Context, Tensor
from engine.program.lowering.draft import Draft
from engine.program.lowering.errors import Refusal
from engine.program.lowering.views import View
from engine.program.values import Array, Layout


def bind_output(context: Context, name: str, tensor: Tensor) -> None:
    """Lay one output out: images channels last, everything else as it lies."""
    if not isinstance(tensor, View):
        raise Refusal("it does not depend on any input")
    at = tensor.batch_axis
    if at is not None and len(tensor.dims[at]) != 1:
        raise Refusal(f"its axis {at} holds the batch together with another axis")
    if at == 0 and tensor.rank >= 4:
        order = context.channels_last(tensor)
    else:
        order = context.natural_order(tensor)
    value = context.arrange(tensor, order)
    draft = context.draft
    if value in draft.outputs or any(value == given.name for given in draft.inputs):
        shape = draft.shape(value)
        value = context.emit(Reshape, [value], shape, draft.values[value].dtype, shape=shape)
    draft.outputs.append(value)
    draft.output_names.append(name)
    source = tuple(-1 if axis == at else size for axis, size in enumerate(tensor.shape))
    draft.output_layouts.append(Layout(source, tuple(order), at))


def finish(draft: Draft, name: str) -> Program:
    """Weights in float32, outputs under their ONNX names. Raises NumericalError for NaN."""
    names = _names(draft)
    layouts = dict(zip(draft.output_names, draft.output_layouts, strict=True))
    layouts |= {names[value.name]: value.layout for value in draft.inputs if value.layout}
    operations = tuple(_rounded(operation, names) for operation in draft.operations)
    values = {
        names[old]: replace(draft.values[old], name=names[old], layout=layouts.get(names[old]))
        for old in names
    }
    return Program(
        name=name,
        inputs=tuple(values[names[value.name]] for value in draft.inputs),
        outputs=tuple(values[names[value]] for value in draft.outputs),
        operations=operations,
        values=values,
    )


def _names(draft: Draft) -> dict[str, str]:
    """Names of the values that are left: outputs have their ONNX names, the rest what is free."""
    wanted = {value.name: value.name for value in draft.inputs}
    wanted |= dict(zip(draft.outputs, draft.output_names, strict=True))
    taken = set(wanted.values())
    for operation in draft.operations:
        for value in operation.outputs:
            if value in wanted:
                continue
            base = draft.wishes.get(value, value)
            new, number = base, 1
            while new in taken:
                number += 1
                new = f"{base}.{number}"
            taken.add(new)
            wanted[value] = new
    return wanted


def _rounded(operation: Operation, names: dict[str, str]) -> Operation:
    changes: dict[str, object] = {
        "inputs": tuple(names[value] for value in operation.inputs),
        "outputs": tuple(names[value] for value in operation.outputs),
    }
    for entry in fields(operation):
        value = getattr(operation, entry.name)
        # Arithmetic on arrays without axes gives numpy's scalars.
        if isinstance(value, (np.ndarray, np.generic)):
            changes[entry.name] = _single(operation, entry.name, value)
        elif isinstance(value, tuple) and any(isinstance(part, np.ndarray) for part in value):
            changes[entry.name] = tuple(
                None if part is None else _single(operation, entry.name, part) for part in value
            )
    return replace(operation, **changes)  # type: ignore[arg-type]


def _single(operation: Operation, field: str, array: Array | np.generic) -> Array:
    with np.errstate(over="ignore"):
        # C order, and unlike ascontiguousarray no axis where there was none.
        rounded = np.array(array, dtype=np.float32, order="C")
    if not np.isfinite(rounded).all():
        raise NumericalError(
            f"{operation.kind} {operation.name!r}: its {field} holds NaN or infinity; check the "
            "checkpoint"
        )
    return rounded
