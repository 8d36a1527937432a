"""One runner for each kind of operation: a Triton kernel where there is one, torch where not."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from engine.backends._torch import operations
from engine.backends._triton import pointwise
from engine.backends._triton.context import Context, Runner
from engine.backends._triton.recurrent import recurrent
from engine.core.errors import ArtifactError
from engine.program import graph
from engine.program.plan import Step
from engine.program.planning.layers import layer_problem
from kernels.conv_transpose.launch import Layer


def prepare(step: Step, context: Context) -> Runner:
    """Pack an operation's weights, and bind it to its buffers."""
    maker = _MAKERS.get(type(step.operation), _single)
    return maker(step.operation, step, context)


def _layer(operation: graph.Convolution | graph.Linear, step: Step, context: Context) -> Runner:
    """A fused layer, packed for the planner's choice and bound to its buffers once."""
    plan = context.plan
    problem = layer_problem(operation, plan.program, plan.types, plan.precision)
    x, out = (context.buffers[name] for name in (*operation.inputs, *operation.outputs))
    if isinstance(operation, graph.Linear):
        x, out = x.view(-1, x.shape[-1]), out.view(-1, out.shape[-1])
    packed = Layer.pack(
        problem,
        context.put(operation.weight),
        shift=None if operation.shift is None else context.put(operation.shift),
        batch=len(x),
        architecture=plan.architecture,
        chosen=step.algorithm.detail,
    )
    context.forget(operation.weight)
    launches = packed.launches(x, out)

    def run() -> None:
        for launch in launches:
            launch.run()

    return run


def _reshape(operation: graph.Reshape, _: Step, context: Context) -> Runner:
    """Nothing where both names are the same bytes, else a copy."""
    source, out = (context.buffers[name] for name in (*operation.inputs, *operation.outputs))
    if source.data_ptr() == out.data_ptr():
        return _nothing
    target = out.view(source.shape)

    def run() -> None:
        target.copy_(source)

    return run


def _single(operation: graph.Operation, _: Step, context: Context) -> Runner:
    """An operation with one output: on its kernel, or in torch from the first refusal on."""
    values = [context.buffers[name] for name in operation.inputs]
    (out,) = (context.buffers[name] for name in operation.outputs)
    kernel = pointwise.FUNCTIONS.get(type(operation))
    reason = "" if kernel else "it has no Triton kernel"

    def run() -> None:
        nonlocal kernel, reason
        if kernel is not None:
            try:
                kernel(operation, context, values, out)
            except (TypeError, ValueError) as refusal:
                kernel, reason = None, str(refusal)
            else:
                return
        _by_torch(operation, context, values, out, reason)

    return run


def _by_torch(
    operation: graph.Operation,
    context: Context,
    values: Sequence[Tensor],
    out: Tensor,
    reason: str,
) -> None:
    """Compute in float32, and note that it is no fused kernel."""
    where = f"{operation.kind} {operation.name!r}"
    function = operations.FUNCTIONS.get(type(operation))
    if function is None:
        raise ArtifactError(f"{where} cannot run on Triton: {reason}")
    note = f"{where} runs through torch: {reason}"
    if note not in context.notes:
        context.notes.append(note)
    wide = [value.float() if value.is_floating_point() else value for value in values]
    out.copy_(function(operation, context.put, *wide))


def _nothing() -> None:
    """Run a view: there is nothing to do."""


_MAKERS: Mapping[type[graph.Operation], Callable[[Any, Step, Context], Runner]] = {
    graph.Convolution: _layer,
    graph.Linear: _layer,
    graph.Reshape: _reshape,
    graph.Recurrent: recurrent,
}
