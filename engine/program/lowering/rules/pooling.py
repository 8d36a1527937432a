"""Pooling over windows, and reductions over whole axes."""

from __future__ import annotations

from typing import Literal

from engine.program.graph import Activation, Pool, Reduce
from engine.program.lowering.context import Context
from engine.program.lowering.errors import Refusal
from engine.program.lowering.node import Node, pairs
from engine.program.lowering.rules.pointwise import elementwise
from engine.program.lowering.rules.registry import lowers
from engine.program.lowering.views import View
from kernels.geometry import Geometry

Function = Literal["mean", "sum", "max", "min"]
_REDUCTIONS: dict[str, Function] = {
    "ReduceMean": "mean",
    "ReduceSum": "sum",
    "ReduceMax": "max",
    "ReduceMin": "min",
    "ReduceSumSquare": "sum",
    "ReduceL2": "sum",
    "GlobalAveragePool": "mean",
    "GlobalMaxPool": "max",
}


@lowers("AveragePool", "MaxPool")
def pool(node: Node, context: Context) -> View:
    """Windows of positions."""
    view = node.view(0)
    order = context.channels_last(view)
    sizes = view.shape[2:]
    kernel = node.integers("kernel_shape") or ()
    rank = len(kernel)
    if rank != len(sizes) or len(node.node.outputs) > 1:
        raise Refusal("its windows do not fit, or the places of its maxima are used")
    stride = node.integers("strides") or (1,) * rank
    dilation = node.integers("dilations") or (1,) * rank
    if node.text("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise Refusal(f"auto_pad={node.text('auto_pad', '')} is not supported")
    pads = pairs(node.integers("pads") or (0,) * (2 * rank))
    more = [step - 1 if node.integer("ceil_mode", 0) else 0 for step in stride]
    output = []
    for axis, (begin, end) in enumerate(pads):
        span = dilation[axis] * (kernel[axis] - 1) + 1
        count = (sizes[axis] + begin + end - span + more[axis]) // stride[axis] + 1
        # A window that would begin in the end padding is left out.
        if (count - 1) * stride[axis] >= sizes[axis] + begin:
            count -= 1
        output.append(count)
    geometry = Geometry(
        "forward",
        sizes,
        tuple(output),
        kernel,
        stride,
        tuple(begin for begin, _ in pads),
        dilation,
    )
    counted = bool(node.integer("count_include_pad", 0)) and any(b or e for b, e in pads)
    if counted and node.integer("ceil_mode", 0):
        raise Refusal("count_include_pad with ceil_mode is not supported")
    value = context.emit(
        Pool,
        [context.arrange(view, order)],
        (*output, view.shape[1]),
        function="max" if node.op == "MaxPool" else "mean",
        geometry=geometry,
        count_outside=counted,
    )
    return context.fresh(value, order, (*view.shape[:2], *output), view)


@lowers(*_REDUCTIONS)
def reduce(node: Node, context: Context) -> View:
    """Over any axes but the batch."""
    view = node.view(0)
    if node.op.startswith("Global"):
        axes: tuple[int, ...] = tuple(range(2, view.rank))
        keep = True
    else:
        given = node.list_of("axes", 1)
        if not given and node.integer("noop_with_empty_axes", 0):
            return view
        axes = given or tuple(range(view.rank))
        keep = bool(node.integer("keepdims", 1))
    axes = tuple(view.sample_axis(axis) for axis in axes)
    if node.op in ("ReduceSumSquare", "ReduceL2"):
        view = elementwise(context, view, Activation("power", alpha=2.0))
    order = context.natural_order(view)
    name = context.arrange(view, order)
    sizes = [1 if axis in axes else size for axis, size in enumerate(view.shape)]
    value = context.emit(
        Reduce,
        [name],
        tuple(sizes[axis] for axis in order),
        function=_REDUCTIONS[node.op],
        axes=tuple(order.index(axis) for axis in sorted(axes, key=order.index)),
    )
    made = context.fresh(value, order, sizes, view)
    if node.op == "ReduceL2":
        made = elementwise(context, made, Activation("sqrt"))
    return made if keep else made.squeeze(axes)
