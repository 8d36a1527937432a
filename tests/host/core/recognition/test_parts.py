"""State dicts read as layers; spectral and weight norm folded as PyTorch applies them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

from engine.core.errors import ArtifactError
from engine.core.recognition.parts import natural, read_parts


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    return {key: tensor.detach().numpy() for key, tensor in module.state_dict().items()}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(lambda: nn.ConvTranspose2d(6, 4, 3), id="transposed"),
        pytest.param(lambda: nn.ConvTranspose2d(5, 5, 4), id="transposed-square"),
        pytest.param(lambda: nn.Conv2d(6, 4, 3, bias=False), id="conv"),
        pytest.param(lambda: nn.Linear(7, 3), id="linear"),
    ],
)
@pytest.mark.parametrize(
    "norm",
    [spectral_norm, parametrizations.spectral_norm, weight_norm, parametrizations.weight_norm],
    ids=["spectral-old", "spectral-new", "weight-old", "weight-new"],
)
def test_norm_is_folded_into_the_weight(norm: object, layer: object) -> None:
    torch.manual_seed(0)
    module = norm(layer())  # type: ignore[operator]
    inputs = 7 if isinstance(module, nn.Linear) else module.in_channels
    x = torch.randn(2, inputs, 5, 5) if inputs != 7 else torch.randn(2, 7)
    for _ in range(20):
        module(x)
    module.eval()(x)
    part = read_parts({f"net.3.{key}": array for key, array in arrays(module).items()})[0]
    assert part.name == "net.3"
    assert set(part.tensors) <= {"weight", "bias"}
    assert np.abs(part.weight - module.weight.detach().numpy()).max() < 1e-6
    assert part.sources["weight"].startswith("net.3.")


def test_kinds() -> None:
    module = nn.ModuleDict(
        {
            "label_emb": nn.Embedding(10, 4),
            "fc": nn.Linear(4, 8),
            "up": nn.ConvTranspose1d(8, 4, 4),
            "norm": nn.BatchNorm1d(4, affine=False),
            "act": nn.PReLU(4),
        }
    )
    kinds = [part.kind for part in read_parts(arrays(module))]
    assert kinds == ["embedding", "linear", "conv", "norm", "prelu"]


@pytest.mark.parametrize(
    "module",
    [nn.GRU(3, 4), nn.GroupNorm(2, 4), nn.MultiheadAttention(4, 2)],
    ids=["gru", "group-norm", "attention"],
)
def test_refuses_layers_of_no_known_kind(module: nn.Module) -> None:
    with pytest.raises(ArtifactError, match="none that is known"):
        read_parts(arrays(module))


def test_natural_order() -> None:
    names = ["main.10", "main.9", "deconv2", "deconv1", "deconv10"]
    assert sorted(names, key=natural) == ["deconv1", "deconv2", "deconv10", "main.9", "main.10"]
