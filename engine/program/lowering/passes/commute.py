"""Work on fewer positions: what acts on each element alone goes before an upsampling."""

from __future__ import annotations

from dataclasses import replace

from engine.program.graph import Affine, Elementwise, PRelu, Upsample
from engine.program.lowering.draft import Draft


def elementwise_before_upsample(draft: Draft) -> bool:
    """Swap each Upsample with the activation, or the scale per channel, that alone reads it."""
    changed = False
    for upsample in list(draft.operations):
        if not isinstance(upsample, Upsample):
            continue
        (source,), (middle,) = upsample.inputs, upsample.outputs
        reader = draft.only_consumer(middle)
        if not isinstance(reader, (Elementwise, Affine, PRelu)) or not _per_channel(reader):
            continue
        first = replace(reader, inputs=(source,), outputs=(middle,))
        second = replace(upsample, inputs=(middle,), outputs=reader.outputs)
        draft.reshape_value(middle, draft.shape(source))
        draft.substitute(upsample, [first, second])
        draft.remove(reader)
        changed = True
    return changed


def _per_channel(operation: Elementwise | Affine | PRelu) -> bool:
    arrays = [getattr(operation, name, None) for name in ("scale", "shift", "slope")]
    return all(array is None or array.ndim <= 1 for array in arrays)
