"""Batch norm folded into its neighbours, and left alone where that would be wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from engine.models.fold import folded


def lively(module: nn.Module) -> nn.Module:
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)):
            for tensor in (part.running_mean, part.weight, part.bias):
                if tensor is not None:
                    nn.init.normal_(tensor)
            if part.running_var is not None:
                nn.init.uniform_(part.running_var, 0.3, 3)
    return module.eval()


def norms(module: nn.Module) -> int:
    return sum("BatchNorm" in type(part).__name__ for part in module.modules())


@pytest.mark.parametrize(
    ("make", "shape", "left"),
    [
        pytest.param(
            lambda: nn.Sequential(nn.ConvTranspose2d(3, 5, 4, 2, 1, bias=False), nn.BatchNorm2d(5)),
            (2, 3, 4, 4),
            0,
            id="transposed",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.ConvTranspose2d(4, 4, 3), nn.BatchNorm2d(4, affine=False)),
            (2, 4, 4, 4),
            0,
            id="square-no-affine",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.Conv1d(3, 6, 3, groups=3), nn.BatchNorm1d(6)),
            (2, 3, 8),
            0,
            id="grouped-conv",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 3, groups=2), nn.BatchNorm2d(6)),
            (2, 4, 4, 4),
            1,
            id="grouped-transposed-stays",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.Linear(7, 5), nn.BatchNorm1d(5), nn.ReLU(inplace=True)),
            (2, 7),
            0,
            id="linear",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.BatchNorm1d(5)),
            (2, 7),
            1,
            id="activation-between",
        ),
        pytest.param(
            lambda: nn.Sequential(nn.Linear(7, 5), nn.BatchNorm1d(5, track_running_stats=False)),
            (3, 7),
            1,
            id="statistics-of-the-batch",
        ),
    ],
)
def test_same_function(make: Callable[[], nn.Module], shape: tuple[int, ...], left: int) -> None:
    torch.manual_seed(0)
    module = lively(make())
    result = folded(module)
    x = torch.randn(shape)
    with torch.no_grad():
        difference = (module(x.clone()) - result(x.clone())).abs().max()
    assert difference < 1e-5
    assert norms(result) == left
    assert norms(module) == 1


def test_a_layer_used_twice_keeps_its_weights() -> None:
    torch.manual_seed(0)
    shared = nn.Linear(4, 4)
    module = lively(nn.ModuleList([nn.Sequential(shared, nn.BatchNorm1d(4)), shared]))
    result = folded(module)
    assert torch.equal(result[1].weight, shared.weight)
    assert norms(result) == 1


def test_names_of_the_layers_stay() -> None:
    module = nn.Sequential(nn.ConvTranspose2d(2, 3, 2, bias=False), nn.BatchNorm2d(3), nn.ReLU())
    assert list(folded(module).state_dict()) == ["0.weight", "0.bias"]
    assert module.training
