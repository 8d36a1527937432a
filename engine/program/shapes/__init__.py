"""Output shapes of every operation, from its input shapes; the batch is left out.

A rule raises ValueError where inputs, weights and attributes do not fit each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.program import graph
from engine.program.shapes import moves, pointwise, products
from engine.program.shapes.common import Shapes

RULES: Mapping[type[graph.Operation], Callable[[Any, Shapes], Shapes]] = {
    graph.Convolution: products.convolution,
    graph.Linear: products.linear,
    graph.MatMul: products.matmul,
    graph.Pool: products.pool,
    graph.Resample: products.resample,
    graph.Embedding: products.embedding,
    graph.Recurrent: products.recurrent,
    graph.Elementwise: pointwise.kept,
    graph.Softmax: pointwise.kept,
    graph.Affine: pointwise.affine,
    graph.PRelu: pointwise.prelu,
    graph.Add: pointwise.add,
    graph.Binary: pointwise.binary,
    graph.Reduce: pointwise.reduce,
    graph.InstanceNorm: pointwise.instance_norm,
    graph.LayerNorm: pointwise.layer_norm,
    graph.Concat: moves.concat,
    graph.Constant: moves.constant,
    graph.Reshape: moves.reshape,
    graph.Permute: moves.permute,
    graph.Slice: moves.cut,
    graph.Pad: moves.pad,
    graph.Upsample: moves.upsample,
}


def output_shapes(operation: graph.Operation, given: Shapes) -> Shapes:
    """Shapes of all outputs. Raises ValueError where the operation does not fit its inputs."""
    return RULES[type(operation)](operation, given)
