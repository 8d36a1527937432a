"""A node of the graph as the rules read it: attributes, and inputs that are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from engine.program.lowering.constants import Const
from engine.program.lowering.context import Context, Tensor
from engine.program.lowering.errors import Refusal
from engine.program.lowering.views import View
from engine.program.values import Array


class Node:
    """One node with its inputs looked up."""

    def __init__(self, node: ir.Node, context: Context) -> None:
        self.node = node
        self.op = node.op_type
        self.opset = context.opsets.get(node.domain, 0)
        self._batch = context.batch.size
        self.inputs: list[Tensor | None] = [
            None if value is None or not value.name else context.tensors[value.name]
            for value in node.inputs
        ]

    def has(self, index: int) -> bool:
        """Whether an optional input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def view(self, index: int) -> View:
        """An input that depends on the sample."""
        found = self.inputs[index] if self.has(index) else None
        if not isinstance(found, View):
            raise Refusal(f"its input {index} is a constant or missing, and has to be a tensor")
        return found

    def const(self, index: int) -> Const:
        """An input that has to be known: a shape, axes, pads."""
        found = self.inputs[index] if self.has(index) else None
        if not isinstance(found, Const):
            raise Refusal(f"its input {index} ({self._name(index)!r}) has to be a constant")
        return found

    def weight(self, index: int) -> Array:
        """Numbers of the model, float64 where they are floats."""
        found = self.inputs[index] if self.has(index) else None
        if not isinstance(found, Const):
            raise Refusal(
                f"its input {index} ({self._name(index)!r}) depends on the sample; "
                "only weights that are constants can be lowered"
            )
        return doubles(found.per_sample(self._batch))

    def optional_weight(self, index: int) -> Array | None:
        """Numbers of the model, or None where the input is left out."""
        return self.weight(index) if self.has(index) else None

    def integer(self, name: str, default: int | None = None) -> int:
        """An integer attribute."""
        if name in self.node.attributes:
            return self.node.attributes[name].as_int()
        if default is None:
            raise Refusal(f"the attribute {name!r} is missing")
        return default

    def number(self, name: str, default: float) -> float:
        """A float attribute."""
        return self.node.attributes[name].as_float() if name in self.node.attributes else default

    def text(self, name: str, default: str) -> str:
        """A text attribute."""
        return self.node.attributes[name].as_string() if name in self.node.attributes else default

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A list of integers, or None."""
        if name not in self.node.attributes:
            return None
        return tuple(self.node.attributes[name].as_ints())

    def list_of(self, name: str, index: int) -> tuple[int, ...] | None:
        """Integers that older opsets hold in an attribute, newer ones in an input."""
        found = self.integers(name)
        if found is None and self.has(index):
            return tuple(self.const(index).numbers())
        return found

    def refuse_attributes(self, **neutral: object) -> None:
        """Raise Refusal for an attribute that is not what it must be to be left out."""
        for name, value in neutral.items():
            given = self.node.attributes.get(name)
            if given is not None and given.value != value:
                raise Refusal(f"{name}={given.value} is not supported")

    def _name(self, index: int) -> str:
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        return "" if value is None or value.name is None else value.name


def doubles(array: Array) -> Array:
    """Floats as float64; integers and booleans as they are."""
    # A NaN that signals warns; it is found among the weights later.
    with np.errstate(invalid="ignore"):
        return array if array.dtype.kind in "biu" else array.astype("float64")


def pairs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """ONNX pads [begin..., end...] as (begin, end) for each axis."""
    half = len(numbers) // 2
    return list(zip(numbers[:half], numbers[half:], strict=True))
