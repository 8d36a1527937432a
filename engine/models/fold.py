"""Batch norm folded into the layer before it, where a Sequential shows that they are neighbours."""

from __future__ import annotations

import copy
from collections import Counter
from typing import TypeVar

from torch import nn
from torch.nn.utils import fusion

_Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
_Module = TypeVar("_Module", bound=nn.Module)

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def folded(module: _Module) -> _Module:
    """A copy for inference: batch norms merged into their layers, nothing done in place.

    The state dict keeps the names of the layers; a merged norm becomes an Identity. Norms that use
    the statistics of the batch (no running statistics) stay.
    """
    result = copy.deepcopy(module).eval()
    uses = Counter(id(child) for parent in result.modules() for child in parent.children())
    for sequence in [part for part in result.modules() if isinstance(part, nn.Sequential)]:
        for index in range(len(sequence) - 1):
            layer, norm = sequence[index], sequence[index + 1]
            # A layer that runs in two places must keep its own weights in the other one.
            if uses[id(layer)] != 1 or uses[id(norm)] != 1:
                continue
            if isinstance(norm, _NORMS) and _fits(layer, norm):
                sequence[index] = _fold(layer, norm)
                sequence[index + 1] = nn.Identity()
    for part in result.modules():
        if hasattr(part, "inplace"):
            # Writing into a reshaped view costs the exported graph a second Reshape.
            setattr(part, "inplace", False)  # noqa: B010
    return result


def _fits(layer: nn.Module, norm: _Norm) -> bool:
    if norm.running_mean is None:
        return False
    if isinstance(layer, nn.Linear):
        return isinstance(norm, nn.BatchNorm1d) and layer.out_features == norm.num_features
    if isinstance(layer, _TRANSPOSED):
        # torch's fusion scales a grouped transposed kernel along the wrong channels.
        return layer.groups == 1 and layer.out_channels == norm.num_features
    return isinstance(layer, _CONVOLUTIONS) and layer.out_channels == norm.num_features


def _fold(layer: nn.Module, norm: _Norm) -> nn.Module:
    if isinstance(layer, nn.Linear):
        return fusion.fuse_linear_bn_eval(layer, norm)
    if isinstance(layer, _TRANSPOSED):
        return fusion.fuse_conv_bn_eval(layer, norm, transpose=True)
    assert isinstance(layer, _CONVOLUTIONS)
    return fusion.fuse_conv_bn_eval(layer, norm)
