"""Tensors known while lowering: weights, and shapes computed from the batch.

The batch is stood for by a prime so large that no other size is a multiple of it, so that shape
arithmetic is plain arithmetic. What depends on the batch is computed under two primes; numbers that
then differ may be shapes, but no operand of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from engine.program.lowering.errors import Refusal
from engine.program.values import Array

BATCHES = (65537, 65539)
# Repeated to a size that a file states, a number costs nothing until it is computed with.
_MOST_NUMBERS = 1 << 31


@dataclass(frozen=True, slots=True, eq=False)
class Const:
    """A known tensor; `other` is what it would be under the second prime, where that differs."""

    array: Array
    other: Array | None = None

    @classmethod
    def of(cls, array: Array, other: Array | None = None) -> Const:
        """Forget a second array that says the same."""
        if other is not None and array.shape == other.shape and np.array_equal(array, other):
            other = None
        return cls(array, other)

    def numbers(self) -> list[int]:
        """As integers: a shape, pads, axes."""
        return [int(number) for number in self.array.reshape(-1)]

    def scalar(self) -> float:
        """As one number."""
        if self.array.size != 1:
            raise Refusal(f"a tensor of shape {list(self.array.shape)} stands for one number")
        return float(self.array.reshape(-1)[0])

    def per_sample(self, batch: int) -> Array:
        """The tensor with axes that stand for a free batch cut to 1.

        Raises Refusal if its numbers depend on the sample or on the batch.
        """
        if batch != BATCHES[0]:
            return self.array
        first = _cut(self.array, BATCHES[0])
        if self.other is not None:
            second = _cut(self.other, BATCHES[1])
            if first.shape != second.shape or not np.array_equal(first, second):
                raise Refusal("it computes with the size of the batch")
        return first


def shared(array: Array, axis: int) -> Array:
    """An array with an axis of the batch cut to 1. Raises Refusal if the samples differ."""
    first: Array = np.take(array, [0], axis=axis)
    if array.strides[axis] != 0 and not np.array_equal(np.broadcast_to(first, array.shape), array):
        raise Refusal("a constant differs from sample to sample")
    return first


def _cut(array: Array, batch: int) -> Array:
    for axis, size in enumerate(array.shape):
        array = shared(array, axis) if size == batch else array
    return array


def evaluate(node: ir.Node, inputs: Sequence[Const | None], opsets: dict[str, int]) -> list[Const]:
    """What a node gives whose inputs are all known."""
    first = _run(node, [None if c is None else c.array for c in inputs], opsets)
    if all(c is None or c.other is None for c in inputs):
        return [Const(array) for array in first]
    others = [None if c is None else c.array if c.other is None else c.other for c in inputs]
    second = _run(node, others, opsets)
    return [Const.of(a, b) for a, b in zip(first, second, strict=True)]


def _run(node: ir.Node, arrays: Sequence[Array | None], opsets: dict[str, int]) -> list[Array]:
    if node.op_type in ("Expand", "ConstantOfShape"):
        # Never spelt out: an axis may have the size of a prime.
        return [_broadcast(node, arrays)]
    numbers = sum(array.size for array in arrays if array is not None)
    if numbers > _MOST_NUMBERS:
        raise Refusal(f"its value would be computed from {numbers} constants")
    names = ["" if array is None else f"i{index}" for index, array in enumerate(arrays)]
    proto = ir.to_proto(node)
    del proto.input[:]
    proto.input.extend(names)
    outputs = [f"o{index}" for index in range(len(node.outputs))]
    del proto.output[:]
    proto.output.extend(outputs)
    graph = helper.make_graph(
        [proto],
        "constant",
        [
            helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None)
            for name in names
            if name
        ],
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs],
    )
    versions = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    model = helper.make_model(graph, opset_imports=versions)
    try:
        feeds = {name: array for name, array in zip(names, arrays, strict=True) if name}
        made = ReferenceEvaluator(model).run(None, feeds)
    # The evaluator raises whatever the node's Python code raises.
    except Exception as error:
        raise Refusal(f"its value cannot be computed from constants: {error}") from error
    return [np.asarray(array) for array in made]


def _broadcast(node: ir.Node, arrays: Sequence[Array | None]) -> Array:
    if node.op_type == "Expand":
        array, target = arrays
    else:
        (target,) = arrays
        attribute = node.attributes.get("value")
        array = np.zeros(1, np.float32) if attribute is None else attribute.as_tensor().numpy()
        array = array.reshape(())
    if array is None or target is None:
        raise Refusal("an input is missing")
    shape = [int(size) for size in target.reshape(-1)]
    return np.broadcast_to(array, np.broadcast_shapes(array.shape, tuple(shape)))
