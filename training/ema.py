"""Moving average of a generator, of its weights and of its batch-norm statistics.

Averaged weights with the raw network's running statistics (or those of initialisation) do not fit
together: images turn grey or saturate. The statistics are buffers of the same network, so they are
averaged by the same rule; that needs no data, costs little, and is exact to resume. (Recomputing
them from fresh samples would need the encoder's data for a VAE and a pass before every save.)
"""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from engine.core.errors import OptionError

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class EMA(Generic[ModuleT]):
    """An averaged copy of a module: `average` is the network to sample."""

    def __init__(self, module: ModuleT, decay: float) -> None:
        if not 0.0 <= decay < 1.0:
            raise OptionError(f"--ema-decay {decay} must lie in [0, 1); 0 follows the raw weights")
        self.decay = decay
        self.average: ModuleT = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Take in the weights after `step` (from 0). Early steps count more: no start-up bias."""
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        targets, sources = self._pairs(module)
        torch._foreach_lerp_(targets, sources, 1.0 - decay)

    def _pairs(self, module: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
        targets: list[Tensor] = []
        sources: list[Tensor] = []
        current = module.state_dict()
        for name, target in self.average.state_dict().items():
            if target.is_floating_point():
                targets.append(target)
                sources.append(current[name])
            else:
                target.copy_(current[name])
        return targets, sources
