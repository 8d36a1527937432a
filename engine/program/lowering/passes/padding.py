"""Zeros around a map that a convolution reads become its padding."""

from __future__ import annotations

from dataclasses import replace

from engine.program.graph import Convolution, Pad
from engine.program.lowering.draft import Draft


def fold_padding(draft: Draft) -> bool:
    """Fold each constant Pad of zeros into the Convolutions that alone read it."""
    changed = False
    for pad in list(draft.operations):
        if not isinstance(pad, Pad) or pad.mode != "constant" or pad.value != 0:
            continue
        (made,) = pad.outputs
        readers = draft.consumers(made)
        spatial = pad.before[-1] == pad.after[-1] == 0
        forward = all(
            isinstance(reader, Convolution) and reader.geometry.direction == "forward"
            for reader in readers
        )
        if not spatial or not forward or made in draft.outputs:
            continue
        size = draft.shape(pad.inputs[0])[:-1]
        for reader in readers:
            assert isinstance(reader, Convolution)
            padding = tuple(
                own + more
                for own, more in zip(reader.geometry.padding, pad.before[:-1], strict=True)
            )
            geometry = replace(reader.geometry, input_size=size, padding=padding)
            draft.substitute(reader, [replace(reader, inputs=pad.inputs, geometry=geometry)])
        draft.remove(pad)
        changed = True
    return changed
