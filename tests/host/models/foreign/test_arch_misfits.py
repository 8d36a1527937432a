"""Networks by `arch` that fail late: exits, a fixed batch, labels that an embedding lacks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engine.core.errors import OptionError
from engine.core.options import LoadOptions
from engine.models.load import load_generator

NETWORKS = """
import sys
from torch import nn


class Net(nn.Module):
    def __init__(self, fixed=False):
        super().__init__()
        self.fixed = fixed
        self.embed = nn.Embedding(5, 8)
        self.out = nn.Linear(8, 48)

    def forward(self, z, labels=None):
        x = z if labels is None else z + self.embed(labels)
        return self.out(x).view(2 if self.fixed else -1, 3, 4, 4)


def leaves():
    sys.exit("wants a config file")
"""


def load(folder: Path, factory: str, **options: Any) -> None:
    source = folder / "networks.py"
    source.write_text(NETWORKS)
    state = {
        "embed.weight": torch.ones(5, 8),
        "out.weight": torch.ones(48, 8),
        "out.bias": torch.ones(48),
    }
    torch.save(state, folder / "net.pt")
    arch = f"{source}:{factory}"
    load_generator(folder / "net.pt", LoadOptions(arch=arch, input_shape=(8,), **options))


@pytest.mark.parametrize(
    ("factory", "options", "message"),
    [
        ("leaves", {}, "cannot be made from {}: SystemExit: wants a config file"),
        ("Net", {"arch_args": {"fixed": True}}, "runs on 2 inputs, so its batch is fixed"),
        ("Net", {"classes": 9}, "classes=9: label 0 works, but 8 does not"),
    ],
    ids=["exit", "fixed-batch", "labels"],
)
def test_refused_at_load(
    factory: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=message):
        load(tmp_path, factory, **options)


@pytest.mark.parametrize("classes", [None, 5])
def test_fits(classes: int | None, tmp_path: Path) -> None:
    load(tmp_path, "Net", classes=classes)


def test_a_source_that_exits(tmp_path: Path) -> None:
    (tmp_path / "exits.py").write_text("raise SystemExit(3)")
    torch.save({"out.weight": torch.ones(4, 4)}, tmp_path / "net.pt")
    options = LoadOptions(arch=f"{tmp_path / 'exits.py'}:Net")
    with pytest.raises(OptionError, match="cannot import .*SystemExit: 3"):
        load_generator(tmp_path / "net.pt", options)
