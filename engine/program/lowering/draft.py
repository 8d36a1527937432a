"""A Program while it is being made: operations that can still be replaced, values by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.program.graph import Operation, Value
from engine.program.values import DType, Layout, Shape


class Draft:
    """Operations in running order. `outputs` are names of values, each with its place in ONNX."""

    def __init__(self) -> None:
        self.inputs: list[Value] = []
        self.outputs: list[str] = []
        self.output_names: list[str] = []
        self.output_layouts: list[Layout] = []
        self.operations: list[Operation] = []
        self.values: dict[str, Value] = {}
        # What a value would be called if no other had been called so before.
        self.wishes: dict[str, str] = {}

    def add_value(self, name: str, shape: Shape, dtype: DType = "float32") -> str:
        """A new value; the name gets a number if it is taken."""
        unique, number = name, 1
        while unique in self.values or not unique:
            number += 1
            unique = f"{name}.{number}"
        self.values[unique] = Value(unique, tuple(shape), dtype)
        self.wishes[unique] = name
        return unique

    def shape(self, name: str) -> Shape:
        """Shape of a value, without the batch."""
        return self.values[name].shape

    def producer(self, name: str) -> Operation | None:
        """The operation that makes a value; None for an input."""
        return next((op for op in self.operations if name in op.outputs), None)

    def consumers(self, name: str) -> list[Operation]:
        """The operations that read a value."""
        return [op for op in self.operations if name in op.inputs]

    def only_consumer(self, name: str) -> Operation | None:
        """The one operation that reads a value, if no other and no output does."""
        readers = self.consumers(name)
        if len(readers) != 1 or name in self.outputs or readers[0].inputs.count(name) != 1:
            return None
        return readers[0]

    def substitute(self, old: Operation, new: Sequence[Operation]) -> None:
        """Put other operations in the place of one."""
        index = self.operations.index(old)
        self.operations[index : index + 1] = new

    def remove(self, operation: Operation) -> None:
        """Take an operation out."""
        self.operations.remove(operation)

    def redirect(self, old: str, new: str) -> None:
        """Let all that reads a value read another."""
        self.operations = [
            replace(op, inputs=tuple(new if name == old else name for name in op.inputs))
            if old in op.inputs
            else op
            for op in self.operations
        ]
        self.outputs = [new if name == old else name for name in self.outputs]

    def reshape_value(self, name: str, shape: Shape) -> None:
        """Give a value another shape."""
        self.values[name] = replace(self.values[name], shape=tuple(shape))
