"""Weights as they are used: reparametrisations of them worked out once, for inference.

Weight norm (Salimans and Kingma, 2016) and spectral norm (Miyato et al., 2018) compute the weight
anew in each forward, by hooks (`torch.nn.utils.weight_norm`) or by parametrisations.
"""

from __future__ import annotations

from typing import TypeVar

from torch import nn
from torch.nn.utils import parametrize, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

_Module = TypeVar("_Module", bound=nn.Module)


def with_plain_weights(module: _Module) -> _Module:
    """The module itself, in eval mode, every reparametrised tensor replaced by its value."""
    for part in list(module.modules()):
        if parametrize.is_parametrized(part):
            for name in list(part.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(part, name, leave_parametrized=True)
        # A weight may be shared by hooks of both kinds on several names.
        for hook in list(part._forward_pre_hooks.values()):
            if isinstance(hook, WeightNorm):
                remove_weight_norm(part, hook.name)
            elif isinstance(hook, SpectralNorm):
                remove_spectral_norm(part, hook.name)
    return module
