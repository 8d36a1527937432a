"""Which axis of each input is the batch, and how the inputs lie in the Program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx_ir as ir

from engine.core.errors import ExportError
from engine.program.lowering.constants import BATCHES
from engine.program.lowering.context import Context
from engine.program.lowering.views import Dim, View, dim_of, without_batch
from engine.program.values import DType, Layout, Value

Sizes = list[int | str]
_FLOATS = ("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE")
_INTEGERS = ("INT32", "INT64")
# Where LSTM and GRU have the batch, by input, with layout 0 and 1.
_RECURRENT = {0: (1, 0), 5: (1, 0), 6: (1, 0)}
# Nodes whose output has the axes of their input: the states of two layers are cut out of one.
_SAME_AXES = ("Slice", "Split", "Identity", "Cast")


def batch_axes(
    graph: ir.Graph, given: Mapping[str, Sequence[int]]
) -> tuple[int, dict[str, int | None], dict[str, Sizes]]:
    """The size that stands for the batch, and each input's batch axis and sizes.

    A free dimension is the batch; a graph without one was exported for a fixed batch, which is the
    first axis of its first input. Raises ExportError for other free dimensions.
    """
    inputs = {
        str(value.name): value for value in graph.inputs if value.name not in graph.initializers
    }
    for name in given:
        if name not in inputs:
            raise ExportError(f"there is no input {name!r}; the inputs are {', '.join(inputs)}")
    sizes = {name: _sizes(name, value, given.get(name)) for name, value in inputs.items()}
    axes = {name: _free_axis(name, sizes[name]) for name in inputs}
    if any(axis is not None for axis in axes.values()) or not inputs:
        return BATCHES[0], axes, sizes
    usual = {name: _usual_axis(value) for name, value in inputs.items()}
    first = next(name for name in inputs if len(sizes[name]) > usual[name])
    batch = sizes[first][usual[first]]
    assert isinstance(batch, int)
    for name in inputs:
        at = usual[name]
        if len(sizes[name]) > at and sizes[name][at] == batch:
            axes[name] = at
    return batch, axes, sizes


def bind(
    context: Context, graph: ir.Graph, axes: Mapping[str, int | None], sizes: Mapping[str, Sizes]
) -> None:
    """Make each input a value: images channels last, everything else in its own order."""
    for value in graph.inputs:
        name = str(value.name)
        if name not in sizes:
            continue
        at = axes[name]
        dims: list[Dim] = [
            (context.batch,) if axis == at else dim_of(int(size))
            for axis, size in enumerate(sizes[name])
        ]
        rest = [axis for axis in range(len(dims)) if axis != at]
        spatial = at == 0 and len(dims) >= 4
        order = [*rest[1:], rest[0]] if spatial else rest
        order = [0, 2, 3, 1] if at is None and len(dims) == 4 else order
        source = tuple(-1 if axis == at else int(size) for axis, size in enumerate(sizes[name]))
        layout = Layout(source, tuple(order), at)
        shape = tuple(int(sizes[name][axis]) for axis in order)
        made = Value(name, shape, _dtype(name, value), layout)
        context.draft.values[name] = made
        context.draft.inputs.append(made)
        atoms = tuple(atom for axis in order for atom in without_batch(dims[axis]))
        context.tensors[name] = View(name, atoms, tuple(dims), made.dtype)


def _sizes(name: str, value: ir.Value, given: Sequence[int] | None) -> Sizes:
    if value.shape is None and given is None:
        raise ExportError(f"input {name!r} has no shape; give it with --input-shape {name}:...")
    if value.shape is None:
        return ["batch" if size < 0 else size for size in given or ()]
    sizes: Sizes = [
        dim if isinstance(dim, int) and dim > 0 else str(getattr(dim, "value", None) or "?")
        for dim in value.shape
    ]
    if given is None:
        return sizes
    if len(given) != len(sizes):
        raise ExportError(f"input {name!r} has {len(sizes)} axes, the shape given has {len(given)}")
    for axis, (size, wanted) in enumerate(zip(sizes, given, strict=True)):
        if isinstance(size, int) and wanted not in (size, -1):
            raise ExportError(f"input {name!r} has size {size} on axis {axis}, not {wanted}")
    return [
        wanted if isinstance(size, str) and wanted >= 0 else size
        for size, wanted in zip(sizes, given, strict=True)
    ]


def _free_axis(name: str, sizes: Sizes) -> int | None:
    """The batch is axis 0, or axis 1 of a sequence [time, batch] or [time, batch, features]."""
    free = [axis for axis, size in enumerate(sizes) if isinstance(size, str)]
    if not free or free == [0] or (free == [1] and len(sizes) <= 3):
        return free[0] if free else None
    told = ", ".join(f"axis {axis} ({sizes[axis]!r})" for axis in free)
    shape = "x".join(
        "-1" if axis == 0 and isinstance(size, str) else str(size)
        for axis, size in enumerate(sizes)
    )
    raise ExportError(
        f"input {name!r} is free in {told}; only the batch may be, so give numbers for the "
        f"others, as in --input-shape {name}:{shape}"
    )


def _usual_axis(value: ir.Value) -> int:
    """The axis that holds the batch, by the recurrent node that reads the input or parts of it."""
    waiting = [value]
    while waiting:
        for node, index in waiting.pop().uses():
            if node.op_type in ("LSTM", "GRU") and index in _RECURRENT:
                layout = node.attributes.get("layout")
                return _RECURRENT[index][0 if layout is None else layout.as_int()]
            if node.op_type in _SAME_AXES and index == 0:
                waiting.extend(node.outputs)
    return 0


def _dtype(name: str, value: ir.Value) -> DType:
    kind = "FLOAT" if value.dtype is None else value.dtype.name
    if kind in _FLOATS:
        return "float32"
    if kind in _INTEGERS:
        return "int64"
    raise ExportError(f"input {name!r} is of type {kind}; only floats and integers can be lowered")
