"""A Program bound to torch: weights in place, one function for each operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.backends._torch.layers import convolution, linear
from engine.backends._torch.operations import FUNCTIONS
from engine.program import graph
from engine.program.graph import Operation, Program

Step = Callable[..., Any]


class Network:
    """Runs a Program on named tensors [batch, *shape], channels last, in one type."""

    def __init__(self, program: Program, dtype: torch.dtype) -> None:
        self._program = program
        self._dtype = dtype
        self._steps = [(operation, self._bind(operation)) for operation in program.operations]
        self._last_use = {
            name: step for step, op in enumerate(program.operations) for name in op.inputs
        }
        self._kept = {value.name for value in program.outputs}

    def run(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Outputs by name, in the network's type."""
        values = {name: self._converted(value) for name, value in inputs.items()}
        batch = max((len(value) for value in values.values()), default=1)
        shared = {v.name for v in self._program.inputs if v.layout and v.layout.batch is None}
        for name in shared:
            values[name] = values[name].expand(batch, *values[name].shape[1:])
        for number, (operation, step) in enumerate(self._steps):
            arguments = [values[name] for name in operation.inputs if name]
            made = step(batch) if isinstance(operation, graph.Constant) else step(*arguments)
            results = made if isinstance(made, tuple) else (made,)
            # Outputs that a program does not name are left out.
            values |= {
                name: result
                for name, result in zip(operation.outputs, results, strict=False)
                if name
            }
            for name in (*operation.inputs, *operation.outputs):
                if self._last_use.get(name, -1) <= number and name not in self._kept:
                    values.pop(name, None)
        return {name: values[name] for name in self._kept}

    def _bind(self, operation: Operation) -> Step:
        """Weights as tensors once, here, rather than at each run."""
        if isinstance(operation, graph.Convolution):
            return convolution(operation, self._put)
        if isinstance(operation, graph.Linear):
            return linear(operation, self._put)
        if isinstance(operation, graph.Constant):
            value = self._put(operation.value)
            return lambda batch: value.expand(batch, *value.shape)
        arrays: dict[int, Tensor] = {}

        def put(array: NDArray[Any]) -> Tensor:
            if id(array) not in arrays:
                arrays[id(array)] = self._put(array)
            return arrays[id(array)]

        function = FUNCTIONS[type(operation)]
        return lambda *values: function(operation, put, *values)

    def _put(self, array: NDArray[Any]) -> Tensor:
        # A copy: weights of a .gen file are a read-only map of it.
        return torch.tensor(array, dtype=self._dtype)

    def _converted(self, value: Tensor) -> Tensor:
        return value.to(self._dtype) if value.is_floating_point() else value
