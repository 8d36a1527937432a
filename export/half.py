"""Weights stored in half precision: half the file, arithmetic still in float32.

An initializer is kept as float16 with a Cast to float32 behind it. Weights are rounded before the
graph is made, so that storing them loses nothing more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import nn

from engine.core.errors import ExportError

if TYPE_CHECKING:
    from onnx import ModelProto

_Module = TypeVar("_Module", bound=nn.Module)

# Vectors (biases, folded shifts) are a thousandth of the file, and rounding them costs accuracy.
_LOWEST_RANK = 2


def round_weights(module: _Module) -> _Module:
    """Round the weights of a module through float16, in place.

    Raises ExportError for a weight beyond float16's largest number, 65504.
    """
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() < _LOWEST_RANK:
                continue
            rounded = parameter.half().float()
            if not bool(torch.isfinite(rounded).all()):
                raise ExportError(
                    f"{name!r} holds {parameter.abs().max().item():.4g}, more than float16 can "
                    "(65504); export with --precision fp32"
                )
            parameter.copy_(rounded)
    return module


def store_half(model: ModelProto) -> int:
    """Store as float16 the initializers for which that is exact; gives their number."""
    from onnx import TensorProto, helper, numpy_helper

    renamed: dict[str, str] = {}
    casts = []
    for initializer in model.graph.initializer:
        if initializer.data_type != TensorProto.FLOAT or len(initializer.dims) < _LOWEST_RANK:
            continue
        values = numpy_helper.to_array(initializer)
        half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(half, name))
        renamed[name] = f"{name}.float32"
        casts.append(
            helper.make_node("Cast", [name], [renamed[name]], f"cast.{name}", to=TensorProto.FLOAT)
        )
    nodes = list(model.graph.node)
    for node in nodes:
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
    # The exporter lists initializers among the typed values; theirs has changed.
    kept = [value for value in model.graph.value_info if value.name not in renamed]
    del model.graph.value_info[:]
    model.graph.value_info.extend(kept)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    return len(casts)
