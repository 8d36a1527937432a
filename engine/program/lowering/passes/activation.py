"""An activation that follows an operation becomes its end."""

from __future__ import annotations

from dataclasses import replace

from engine.program.graph import FUSED_ACTIVATIONS, Activation, Elementwise
from engine.program.lowering.draft import Draft


def fuse_activations(draft: Draft) -> bool:
    """Fuse the five activations that kernels can end with."""
    changed = False
    for operation in list(draft.operations):
        if not isinstance(operation, Elementwise):
            continue
        source = draft.producer(operation.inputs[0])
        before: Activation | None = getattr(source, "activation", None)
        if (
            source is None
            or before is None
            or before.kind != "none"
            or operation.activation.kind not in FUSED_ACTIVATIONS
            or isinstance(source, Elementwise)
            or draft.only_consumer(operation.inputs[0]) is not operation
        ):
            continue
        fused = replace(
            source,
            outputs=operation.outputs,
            activation=operation.activation,  # type: ignore[call-arg]
        )
        draft.substitute(source, [fused])
        draft.remove(operation)
        changed = True
    return changed
