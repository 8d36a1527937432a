"""The road itself: every node by its rule, then passes over what they made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import onnx_ir as ir

from engine.core.errors import ArtifactError, ExportError, NumericalError
from engine.program.graph import Program
from engine.program.lowering.broadcasting import constant_view
from engine.program.lowering.constants import Const, evaluate
from engine.program.lowering.context import Context, Tensor
from engine.program.lowering.errors import Refusal
from engine.program.lowering.inputs import batch_axes, bind
from engine.program.lowering.node import Node
from engine.program.lowering.outputs import bind_output, finish
from engine.program.lowering.passes import simplify
from engine.program.lowering.read import label, read
from engine.program.lowering.rules import RULES
from engine.program.lowering.views import View

if TYPE_CHECKING:
    from onnx import ModelProto

_NOISE = (
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
    "Multinomial",
    "Bernoulli",
)
# Numbers for each sample up to which constants of the batch are computed with.
_LARGEST_CONSTANT = 512
_QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
_CONTROL = ("If", "Loop", "Scan")
_DEFAULT_DOMAINS = ("", "ai.onnx")


def lower(
    source: str | Path | ModelProto,
    *,
    name: str | None = None,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Program:
    """The Program of an ONNX file or model: one entry point of a generator, anybody's.

    Inputs and outputs keep their ONNX names; their `layout` tells how the Program's channels-last
    values lie in the ONNX tensors. The batch is the free axis of the inputs; a graph exported for a
    fixed batch is freed of it. `input_shapes` fixes other free axes: whole ONNX shapes, -1 for the
    batch. Raises ArtifactError for a file that is no ONNX graph, ExportError naming the node that a
    Program cannot express, NumericalError for weights that are NaN or infinite.
    """
    shown = label(source)
    model = read(source)
    graph = model.graph
    try:
        batch, axes, sizes = batch_axes(graph, input_shapes or {})
        context = Context(batch, dict(model.opset_imports))
        bind(context, graph, axes, sizes)
        for key, value in graph.initializers.items():
            if value.const_value is not None and key not in context.tensors:
                context.tensors[key] = Const(_stored(key, value.const_value, shown))
        _walk(graph, context)
        for value in graph.outputs:
            context.node = context.output = str(value.name)
            try:
                bind_output(context, str(value.name), context.tensors[str(value.name)])
            except Refusal as refusal:
                raise ExportError(f"output {value.name!r}: {refusal}") from refusal
    except ExportError as error:
        raise ExportError(f"{shown}: {error}") from error
    simplify(context.draft)
    try:
        return finish(context.draft, name or graph.name or "program")
    except NumericalError as error:
        raise NumericalError(f"{shown}: {error}") from error


def _stored(name: str, tensor: Any, shown: str) -> Any:
    """The numbers of a weight, which may lie in a file beside the graph's. Raises ArtifactError."""
    try:
        return tensor.numpy()
    # Data outside the folder of the graph, or cut short.
    except (ValueError, OSError, TypeError) as error:
        raise ArtifactError(f"{shown}: the weight {name!r} cannot be read: {error}") from error


def _walk(graph: ir.Graph, context: Context) -> None:
    for node in graph:
        context.output = next((str(out.name) for out in node.outputs if out.name), "")
        context.node = node.name or context.output
        try:
            made = _lower_node(node, context)
        except Refusal as refusal:
            raise ExportError(f"{_where(node)}: {refusal}") from refusal
        except (ValueError, IndexError, KeyError) as error:
            # A node that breaks the operator's own definition; the rule says where it stumbled.
            raise ExportError(f"{_where(node)} is malformed: {error}") from error
        for output, tensor in zip(node.outputs, made, strict=False):
            if output.name:
                context.tensors[output.name] = tensor


def _lower_node(node: ir.Node, context: Context) -> Sequence[Tensor]:
    if node.domain not in _DEFAULT_DOMAINS:
        raise Refusal(f"operators of the domain {node.domain!r} are not supported")
    if node.op_type in _NOISE:
        raise Refusal("it draws noise inside the graph; the noise must be an input of the graph")
    if node.op_type in _QUANTIZED:
        raise Refusal("quantized graphs are not supported; export the network in floating point")
    if node.op_type in _CONTROL:
        return _branch(node, context)
    read_node = Node(node, context)
    known = [tensor for tensor in read_node.inputs if isinstance(tensor, Const)]
    if len(known) == sum(tensor is not None for tensor in read_node.inputs):
        constants = [t if isinstance(t, Const) else None for t in read_node.inputs]
        return [_kept(made, context) for made in evaluate(node, constants, context.opsets)]
    rule = RULES.get(node.op_type)
    if rule is None:
        raise Refusal("a Program has no operation for it")
    made = rule(read_node, context)
    return made if isinstance(made, (list, tuple)) else [made]  # type: ignore[list-item]


def _kept(made: Const, context: Context) -> Tensor:
    """What is large for each sample of a free batch becomes a value, before it is spelt out."""
    batch = context.batch.size
    if made.other is None or made.array.size <= _LARGEST_CONSTANT * batch:
        return made
    dims = tuple((context.batch,) if size == batch else () for size in made.array.shape)
    return constant_view(context, made.per_sample(batch), View("", (), dims))


def _branch(node: ir.Node, context: Context) -> Sequence[Tensor]:
    """An If whose condition is known is one of its branches."""
    condition = node.inputs[0] if node.op_type == "If" else None
    tensor = context.tensors.get(str(condition.name)) if condition is not None else None
    if not isinstance(tensor, Const) or tensor.other is not None:
        raise Refusal("control flow that depends on the data is not supported")
    chosen = node.attributes["then_branch" if tensor.scalar() else "else_branch"].as_graph()
    for key, value in chosen.initializers.items():
        if value.const_value is not None:
            context.tensors[key] = Const(value.const_value.numpy())
    _walk(chosen, context)
    return [context.tensors[str(value.name)] for value in chosen.outputs]


def _where(node: ir.Node) -> str:
    if node.name:
        return f"node {node.name!r} ({node.op_type})"
    return f"the node {node.op_type} that makes {node.outputs[0].name!r}"
