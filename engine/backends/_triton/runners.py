"""One runner for each kind of operation: a Triton kernel where there is one, torch where not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.backends._triton import torch_ops
from engine.backends._triton.context import Context, Runner
from engine.program import graph
from engine.program.plan import Step
from engine.program.planning.layers import layer_problem
from kernels.conv_transpose.launch import Layer

Prepare = Callable[[Any, Step, Context], Runner]


def prepare(step: Step, context: Context) -> Runner:
    """Pack an operation's weights, and bind it to its buffers."""
    operation = step.operation
    maker = KERNELS.get(type(operation))
    return maker(operation, step, context) if maker else by_torch(operation, step, context)


def layer(operation: graph.Convolution | graph.Linear, step: Step, context: Context) -> Runner:
    """A fused layer, packed for the planner's choice and bound to its buffers once."""
    plan = context.plan
    problem = layer_problem(operation, plan.program, plan.types, plan.precision)
    x, out = (context.buffers[name] for name in (*operation.inputs, *operation.outputs))
    if isinstance(operation, graph.Linear):
        x, out = x.view(-1, x.shape[-1]), out.view(-1, out.shape[-1])
    shift = None if operation.shift is None else context.put(operation.shift)
    packed = Layer.pack(
        problem,
        context.put(operation.weight),
        shift=shift,
        batch=len(x),
        architecture=plan.architecture,
        chosen=step.algorithm.detail,
    )
    launches = packed.launches(x, out)

    def run() -> None:
        for launch in launches:
            launch.run()

    return run


def reshape(operation: graph.Reshape, _: Step, context: Context) -> Runner:
    """Nothing where both names are the same bytes, else a copy."""
    source, out = (context.buffers[name] for name in (*operation.inputs, *operation.outputs))
    if source.data_ptr() == out.data_ptr():
        return _nothing
    target = out.view(source.shape)

    def run() -> None:
        target.copy_(source)

    return run


def by_torch(operation: graph.Operation, _: Step, context: Context) -> Runner:
    """The operation in torch, computed in float32; noted, since it is no fused kernel."""
    function = torch_ops.FUNCTIONS[type(operation)]
    sources = [context.buffers[name] if name else None for name in operation.inputs]
    outputs = [context.buffers[name] if name else None for name in operation.outputs]
    context.notes.append(f"{operation.kind} {operation.name!r} runs through torch")

    def run() -> None:
        values = [
            source.float() if source is not None and source.is_floating_point() else source
            for source in sources
        ]
        made = function(operation, context, *values)
        results = made if isinstance(made, tuple) else (made,)
        for out, result in zip(outputs, results, strict=False):
            if out is not None:
                out.copy_(result)

    return run


def _nothing() -> None:
    """Run a view: there is nothing to do."""


KERNELS: Mapping[type[graph.Operation], Prepare] = {
    graph.Convolution: layer,
    graph.Linear: layer,
    graph.Reshape: reshape,
}
