"""x * sigmoid(x) and its kin get the name they have."""

from __future__ import annotations

from engine.program.graph import Activation, Binary, Elementwise
from engine.program.lowering.draft import Draft

_SIXTH = 1 / 6


def name_gates(draft: Draft) -> bool:
    """Silu and hard swish, told from their two steps."""
    changed = False
    for operation in list(draft.operations):
        if not isinstance(operation, Binary) or operation.function != "mul":
            continue
        for x, gate in (operation.inputs, operation.inputs[::-1]):
            source = draft.producer(gate)
            if not isinstance(source, Elementwise) or source.inputs != (x,):
                continue
            kind = _named(source.activation)
            if kind is not None:
                named = Elementwise(
                    name=operation.name,
                    inputs=(x,),
                    outputs=operation.outputs,
                    activation=Activation(kind),
                )
                draft.substitute(operation, [named])
                changed = True
                break
    return changed


def _named(gate: Activation) -> str | None:
    if gate.kind == "sigmoid":
        return "silu"
    # The exporters round 1/6 to single precision.
    if gate.kind == "hard_sigmoid" and abs(gate.alpha - _SIXTH) < 1e-7 and gate.beta == 0.5:
        return "hard_swish"
    return None
