"""Weight norm and spectral norm, of both kinds, worked out once."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import utils
from torch.nn.utils import parametrizations

from engine.models.plain import with_plain_weights

Norm = Callable[[nn.Module], nn.Module]


def transposed(norm: Norm) -> nn.Module:
    return nn.Sequential(norm(nn.ConvTranspose1d(3, 4, 4, stride=2)), nn.Tanh())


@pytest.mark.parametrize(
    "norm",
    [
        utils.weight_norm,
        utils.spectral_norm,
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
        lambda layer: utils.weight_norm(layer, dim=1),
    ],
    ids=["weight_hook", "spectral_hook", "weight", "spectral", "weight_dim_1"],
)
def test_the_same_outputs_by_a_plain_weight(norm: Norm) -> None:
    x = torch.randn(2, 3, 7, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = transposed(norm).eval()
    with torch.inference_mode():
        before = network(x)
        plain = with_plain_weights(network)
        torch.testing.assert_close(plain(x), before)
    assert set(plain.state_dict()) == {"0.weight", "0.bias"}
    assert set(copy.deepcopy(plain).state_dict()) == {"0.weight", "0.bias"}
