"""Readings of a stranger's network held against its running statistics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from engine.core.options import LoadOptions
from engine.models.load import load_generator


class Projected(nn.Module):
    """z [B, 12] -> maps [B, 16, 4, 4] -> the body."""

    def __init__(self, body: nn.Sequential) -> None:
        super().__init__()
        self.fc = nn.Linear(12, 16 * 16)
        self.body = body

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.body(self.fc(z).view(-1, 16, 4, 4))
        return out


def up(mode: str) -> nn.Module:
    return nn.Upsample(scale_factor=2, mode=mode)


def square() -> nn.Sequential:
    """A square transposed layer of kernel 3 between others of kernel 4."""
    return nn.Sequential(
        *(nn.Unflatten(1, (12, 1, 1)), nn.ConvTranspose2d(12, 32, 4, 1, 0)),
        *(nn.BatchNorm2d(32), nn.ReLU(), nn.ConvTranspose2d(32, 16, 4, 2, 1)),
        *(nn.BatchNorm2d(16), nn.ReLU(), nn.ConvTranspose2d(16, 16, 3, 1, 1)),
        *(nn.BatchNorm2d(16), nn.ReLU(), nn.ConvTranspose2d(16, 3, 4, 2, 1), nn.Tanh()),
    )


def bilinear() -> nn.Module:
    return Projected(
        nn.Sequential(
            *(nn.BatchNorm2d(16), up("bilinear"), nn.Conv2d(16, 16, 3, 1, 1)),
            *(nn.BatchNorm2d(16), nn.ReLU(), up("bilinear"), nn.Conv2d(16, 8, 3, 1, 1)),
            *(nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 3, 3, 1, 1), nn.Tanh()),
        )
    )


@pytest.mark.parametrize(
    ("make", "line"),
    [(square, "3 stride 1 padding 1"), (bilinear, "bilinear upsampling by 2")],
    ids=["direction-of-square-layers", "upsample-mode"],
)
def test_another_reading_is_found(
    make: Callable[[], nn.Module], line: str, tmp_path: Path, strangers: SimpleNamespace
) -> None:
    torch.manual_seed(1)
    network = strangers.trained(make(), 12)
    torch.save(network.state_dict(), tmp_path / "net.pt")
    loaded = load_generator(tmp_path / "net.pt")
    z = torch.randn(4, 12)
    with torch.inference_mode():
        assert (loaded.entry_points["decoder"](z) - network(z)).abs().max() < 1e-5
    assert any(line in text for text in loaded.assumptions)
    assert "agree" in loaded.assumptions[-1]


def test_one_wrong_layer_of_several_is_reported(tmp_path: Path, strangers: SimpleNamespace) -> None:
    """The user's direction of one square layer is the wrong one."""
    torch.manual_seed(1)
    torch.save(strangers.trained(square(), 12).state_dict(), tmp_path / "net.pt")
    options = LoadOptions(arch_args={"transposed": [True, True, False, True]})
    last = load_generator(tmp_path / "net.pt", options).assumptions[-1]
    assert "DISAGREE" in last
    assert "--arch-args" in last
    assert "--arch module:factory" in last
