"""torch.export programs as generators."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from engine.core.errors import ArtifactError, OptionError
from engine.core.options import LoadOptions
from engine.models.load import load_generator

BATCH = torch.export.Dim("batch")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.out = nn.Linear(12, 64)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.out(torch.cat([z, self.embed(labels)], 1)).view(-1, 1, 8, 8)


def program(path: Path, *, dynamic: bool = True) -> Net:
    network = Net().eval()
    inputs = (torch.randn(2, 8), torch.zeros(2, dtype=torch.int64))
    shapes = ({0: BATCH}, {0: BATCH}) if dynamic else None
    torch.export.save(torch.export.export(network, inputs, dynamic_shapes=shapes), path)
    return network


def test_program(tmp_path: Path) -> None:
    network = program(tmp_path / "net.pt2")
    loaded = load_generator(tmp_path / "net.pt2", LoadOptions(classes=5))
    assert (loaded.spec.latent.shape, loaded.spec.output.shape) == ((8,), (1, 8, 8))
    assert len(loaded.spec.classes) == 5
    z, labels = torch.randn(3, 8), torch.tensor([0, 4, 2])
    with torch.inference_mode():
        assert torch.allclose(loaded.entry_points["decoder"](z, labels), network(z, labels))


def test_labels_need_a_number_of_classes(tmp_path: Path) -> None:
    program(tmp_path / "net.pt2")
    with pytest.raises(OptionError, match="takes labels; say how many: --classes N"):
        load_generator(tmp_path / "net.pt2")


def test_fixed_batch(tmp_path: Path) -> None:
    program(tmp_path / "net.pt2", dynamic=False)
    with pytest.raises(ArtifactError, match="fixed batch of 2; export it again with"):
        load_generator(tmp_path / "net.pt2", LoadOptions(classes=5))


def test_pickled_constants_are_refused(tmp_path: Path) -> None:
    program(tmp_path / "net.pt2")
    source = zipfile.ZipFile(tmp_path / "net.pt2")
    with zipfile.ZipFile(tmp_path / "bad.pt2", "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name.endswith("model_weights_config.json"):
                config = json.loads(data)
                config["config"]["out.bias"]["use_pickle"] = True
                data = json.dumps(config).encode()
            target.writestr(name, data)
    with pytest.raises(ArtifactError, match="pickled objects, which are never executed"):
        load_generator(tmp_path / "bad.pt2", LoadOptions(classes=5))


def test_other_options_do_not_apply(tmp_path: Path) -> None:
    program(tmp_path / "net.pt2")
    with pytest.raises(OptionError, match="arch='x:y' does not apply"):
        load_generator(tmp_path / "net.pt2", LoadOptions(arch="x:y"))
