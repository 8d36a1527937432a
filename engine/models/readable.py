"""Tensors of a checkpoint that can be weights: with values, plain, and no larger than they say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.core.errors import ArtifactError
from engine.core.units import human_bytes

# A file of a few bytes may hold one number and call it a tensor of any shape.
_MOST_REPEATED_BYTES = 1 << 28


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
