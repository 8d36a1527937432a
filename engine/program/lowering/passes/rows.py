"""A Permute whose flattened result is joined to others and multiplied goes into the rows."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from engine.program.graph import Concat, Linear, Permute, Reshape
from engine.program.lowering.draft import Draft


def permutes_into_rows(draft: Draft) -> bool:
    """Absorb Permute, Reshape to a vector, Concat into the Linears that alone read them."""
    changed = False
    for permute in list(draft.operations):
        if not isinstance(permute, Permute):
            continue
        reshape = draft.only_consumer(permute.outputs[0])
        if not isinstance(reshape, Reshape) or len(reshape.shape) != 1:
            continue
        concat = draft.only_consumer(reshape.outputs[0])
        if not isinstance(concat, Concat) or concat.outputs[0] in draft.outputs:
            continue
        readers = [op for op in draft.consumers(concat.outputs[0]) if isinstance(op, Linear)]
        if not readers or len(readers) != len(draft.consumers(concat.outputs[0])):
            continue
        shape = draft.shape(permute.inputs[0])
        order = np.arange(math.prod(shape)).reshape(shape).transpose(permute.axes).reshape(-1)
        before = concat.inputs[: concat.inputs.index(reshape.outputs[0])]
        start = sum(draft.shape(name)[0] for name in before)
        for reader in readers:
            weight = reader.weight.copy()
            weight[start + order] = reader.weight[start : start + order.size]
            draft.substitute(reader, [replace(reader, weight=weight)])
        draft.substitute(reshape, [replace(reshape, inputs=permute.inputs)])
        draft.remove(permute)
        changed = True
    return changed
