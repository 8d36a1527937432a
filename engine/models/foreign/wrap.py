"""Modules around a stranger's code, with the inputs of an entry point: x and whatever follows."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Method(nn.Module):
    """One method of a module as a module of its own."""

    def __init__(self, module: nn.Module, name: str) -> None:
        super().__init__()
        self.module = module
        self.name = name

    def forward(self, x: Tensor, *rest: Any, **named: Any) -> Any:
        """Call the method."""
        return getattr(self.module, self.name)(x, *rest, **named)


class Program(nn.Module):
    """An exported graph, which takes no part in train and eval mode: that was fixed at export."""

    def __init__(self, program: nn.Module) -> None:
        super().__init__()
        # Not `graph`: exported again, it would hide the graph of the module around it.
        self.program = program

    def forward(self, x: Tensor, *rest: Tensor) -> Any:
        """Run the graph on x, labels and noise, as far as it takes them."""
        return self.program(x, *rest)

    def train(self, mode: bool = True) -> Program:
        """Note the mode here alone: a graph module raises when it is asked for one."""
        self.training = mode
        return self
