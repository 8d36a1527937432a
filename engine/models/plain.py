"""Networks as they are used: what only training needs worked out once, for inference.

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

_InstanceNorm = nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d


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


def with_batch_norms(module: _Module) -> _Module:
    """The module itself, in eval mode, every instance norm with running statistics a batch norm.

    That is what it is in inference. PyTorch runs it on one image of batch x channels channels, a
    shape that other runtimes do not free of the batch.
    """
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, _InstanceNorm) and child.track_running_stats:
                setattr(parent, name, _as_batch_norm(child))
    return module


def _as_batch_norm(norm: _InstanceNorm) -> nn.Module:
    kinds = (nn.InstanceNorm2d, nn.BatchNorm2d), (nn.InstanceNorm3d, nn.BatchNorm3d)
    kind = next((batch for instance, batch in kinds if isinstance(norm, instance)), nn.BatchNorm1d)
    made = kind(norm.num_features, norm.eps, affine=norm.affine)
    made.load_state_dict(norm.state_dict())
    return made.eval()
