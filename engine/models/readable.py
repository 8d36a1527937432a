"""Tensors of a checkpoint that can be weights: with values, plain, and no larger than they say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.core.errors import ArtifactError
from engine.core.units import human_bytes

# A file of a few bytes may hold one number and call it a tensor of any shape.
_MOST_REPEATED_BYTES = 1 << 28
# Lists of losses, one number a step, are the longest that training scripts keep.
_MOST_VALUES = 1e7
_DEEPEST = 100


def refuse_unreadable(values: Any, path: Path, key: str = "") -> None:
    """Raise ArtifactError, naming the key, for tensors without values or in odd layouts."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            refuse_unreadable(value, path, f"{key}.{name}" if key else str(name))
    if not isinstance(values, Tensor):
        return
    if values.is_meta:
        raise ArtifactError(f"{path}: the tensor {key!r} is on the meta device and has no values")
    if values.layout is not torch.strided or values.is_quantized or values.is_nested:
        raise ArtifactError(
            f"{path}: the tensor {key!r} is sparse, nested or quantised ({values.dtype}); save "
            "plain ones"
        )
    size = values.numel() * values.element_size()
    if size > max(values.untyped_storage().nbytes(), _MOST_REPEATED_BYTES):
        raise ArtifactError(
            f"{path}: the tensor {key!r} of shape {list(values.shape)} repeats "
            f"{human_bytes(values.untyped_storage().nbytes())} to {human_bytes(size)}; save it "
            "with .contiguous(), or not at all"
        )


def refuse_whole_numbers(tensors: Mapping[str, Any], path: Path) -> None:
    """Raise ArtifactError, naming key and dtype, for weights that are no real numbers."""
    for key, tensor in tensors.items():
        if tensor.ndim and not tensor.is_floating_point():
            raise ArtifactError(
                f"{path}: the tensor {key!r} holds {tensor.dtype}, weights are floats; "
                "save them as float32, not quantised and not complex"
            )


def refuse_tangled(values: Any, path: Path) -> None:
    """Raise ArtifactError for values that hold themselves, or one another again and again.

    A pickle of some hundred bytes can mean more dictionaries than anybody walks through.
    """
    if _unfolded(values, {}, _DEEPEST) > _MOST_VALUES:
        raise ArtifactError(
            f"{path}: its values hold themselves, or one another again and again; save the weights "
            "alone: torch.save(model.state_dict(), path)"
        )


def _unfolded(value: Any, known: dict[int, float], deeper: int) -> float:
    """How many values there are if each is counted wherever it stands; too deep is infinite."""
    if isinstance(value, Mapping):
        children: Iterable[Any] = value.values()
    elif isinstance(value, (list, tuple, set)):
        children = value
    else:
        return 1
    if id(value) not in known:
        # What holds itself finds this.
        known[id(value)] = math.inf
        below = (_unfolded(child, known, deeper - 1) for child in children)
        known[id(value)] = 1 + sum(below) if deeper else math.inf
    return known[id(value)]
