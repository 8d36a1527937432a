"""What a runner is made from, and the buffers it works on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.program.plan import Plan
from engine.program.planning.types import ELEMENT_BYTES, ElementType

DTYPES: Mapping[ElementType, torch.dtype] = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp32": torch.float32,
    "uint8": torch.uint8,
    "int64": torch.int64,
}

Packed = TypeVar("Packed")
# Runs one operation from its buffers into its buffers.
Runner = Callable[[], None]


@dataclass(frozen=True)
class Context:
    """A plan with its buffers, by value name [batch, *shape]; `notes` collects what to tell."""

    plan: Plan
    batch: int
    device: torch.device
    buffers: Mapping[str, Tensor]
    notes: list[str] = field(default_factory=list)
    _weights: dict[int, Tensor] = field(default_factory=dict)
    _packed: dict[int, Any] = field(default_factory=dict)

    def put(self, array: NDArray[Any]) -> Tensor:
        """Weights on the device, in float32, copied there once."""
        if id(array) not in self._weights:
            self._weights[id(array)] = torch.tensor(array, dtype=torch.float32, device=self.device)
        return self._weights[id(array)]

    def packed(self, array: Any, pack: Callable[[Any, torch.device], Packed]) -> Packed:
        """What a kernel makes of an array, made once."""
        if id(array) not in self._packed:
            self._packed[id(array)] = pack(array, self.device)
        made: Packed = self._packed[id(array)]
        return made

    def forget(self, array: NDArray[Any]) -> None:
        """Free the device's copy of weights that have been packed."""
        self._weights.pop(id(array), None)


def allocate(plan: Plan, batch: int, device: torch.device) -> dict[str, Tensor]:
    """Views of one arena, contiguous and aligned, by value name."""
    arena = torch.empty(plan.arena.size * batch, dtype=torch.uint8, device=device)
    views = {}
    for buffer in plan.arena.buffers:
        for name in buffer.values:
            shape = plan.program.values[name].shape
            kind = plan.types[name]
            size = math.prod(shape) * ELEMENT_BYTES[kind] * batch
            start = buffer.offset * batch
            flat = arena[start : start + size].view(DTYPES[kind])
            views[name] = flat.view(batch, *shape)
    return views
