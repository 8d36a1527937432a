"""Rules by ONNX operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.program.lowering.context import Context, Tensor
from engine.program.lowering.node import Node

Rule = Callable[[Node, Context], Tensor | Sequence[Tensor]]

RULES: dict[str, Rule] = {}


def lowers(*operators: str) -> Callable[[Rule], Rule]:
    """Register a rule for operators of the default domain."""

    def register(rule: Rule) -> Rule:
        RULES.update(dict.fromkeys(operators, rule))
        return rule

    return register
