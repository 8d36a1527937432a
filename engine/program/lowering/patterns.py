"""Functions that exporters write as several nodes, put back together before lowering.

The rules are onnxscript's rewriter's: a pattern, what replaces it, and the constants within it.
"""

from __future__ import annotations

import math
from typing import Any

import onnx_ir as ir
from onnxscript.rewriter import pattern, rewrite

# Softplus beyond 20 is x to single precision; torch writes the linear part out.
_LINEAR_FROM = 20.0
_TOLERANCE = 1e-6


def put_together(model: ir.Model) -> ir.Model:
    """The model with Softplus, Mish, Gelu, Swish and HardSwish as one node each."""
    return rewrite(model, pattern_rewrite_rules=_RULES)


def _near(value: ir.Value | None, number: float) -> bool:
    constant = None if value is None else ir.convenience.get_const_tensor(value)
    if constant is None or constant.size != 1:
        return False
    return math.isclose(float(constant.numpy().reshape(-1)[0]), number, rel_tol=_TOLERANCE)


def _softplus(op: Any, x: Any, limit: Any) -> Any:
    return op.Where(op.Greater(x, limit), x, op.Softplus(x))


def _softplus_fits(context: Any, limit: ir.Value, **_: Any) -> bool:
    return _near(limit, _LINEAR_FROM)


def _gelu_mul_last(op: Any, x: Any, root: Any, one: Any, half: Any) -> Any:
    return op.Mul(op.Mul(x, op.Add(op.Erf(op.Div(x, root)), one)), half)


def _gelu_mul_first(op: Any, x: Any, root: Any, one: Any, half: Any) -> Any:
    return op.Mul(op.Mul(x, half), op.Add(op.Erf(op.Div(x, root)), one))


def _gelu_fits(context: Any, root: ir.Value, one: ir.Value, half: ir.Value, **_: Any) -> bool:
    return _near(root, math.sqrt(2)) and _near(one, 1.0) and _near(half, 0.5)


def _hard_swish_fits(context: Any, gate: ir.Value, **_: Any) -> bool:
    node = gate.producer()
    if node is None:
        return False
    alpha = node.attributes.get("alpha")
    beta = node.attributes.get("beta")
    given = (0.2 if alpha is None else alpha.as_float(), 0.5 if beta is None else beta.as_float())
    return math.isclose(given[0], 1 / 6, rel_tol=_TOLERANCE) and given[1] == 0.5


_RULES = pattern.RewriteRuleSet(
    [
        pattern.RewriteRule(
            _softplus, lambda op, x, limit, **_: op.Softplus(x), _softplus_fits, name="Softplus"
        ),
        pattern.RewriteRule(
            lambda op, x: op.Mul(x, op.Tanh(op.Softplus(x))),
            lambda op, x, **_: op.Mish(x),
            name="Mish",
        ),
        pattern.RewriteRule(_gelu_mul_last, lambda op, x, **_: op.Gelu(x), _gelu_fits, name="Gelu"),
        pattern.RewriteRule(
            _gelu_mul_first, lambda op, x, **_: op.Gelu(x), _gelu_fits, name="GeluHalfFirst"
        ),
        pattern.RewriteRule(
            lambda op, x: op.Mul(x, op.Sigmoid(x)), lambda op, x, **_: op.Swish(x), name="Swish"
        ),
        pattern.RewriteRule(
            lambda op, x: op.Mul(
                x, op.HardSigmoid(x, _outputs=["gate"], _allow_other_attributes=True)
            ),
            lambda op, x, **_: op.HardSwish(x),
            _hard_swish_fits,
            name="HardSwish",
        ),
    ],
    commute=True,
)
