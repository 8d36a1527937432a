"""Small models on disk, shared by all tests: untrained, but with trained-looking batch norms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "dcgan": ("dcgan", {"size": 32, "channels": 1, "width": 8, "latent": 16}),
    "dcgan-classes": ("dcgan", {"size": 32, "channels": 3, "width": 8, "latent": 16, "classes": 4}),
    "vae": ("vae", {"size": 32, "channels": 1, "width": 8, "latent": 6}),
    "vae-classes": ("vae", {"size": 32, "channels": 3, "width": 4, "latent": 6, "classes": 4}),
    "gan-mlp": ("gan-mlp", {"size": 12, "hidden": [16, 24], "latent": 10}),
}
CLASS_NAMES = ("cat", "dog", "bird", "fish")


def make_checkpoint(name: str, path: Path) -> Path:
    """Write the checkpoint of one of MODELS."""
    import torch
    from torch import nn

    from engine.models import create
    from engine.models.checkpoint import Checkpoint

    arch, arguments = MODELS[name]
    torch.manual_seed(7)
    model = create(arch, **arguments)
    for module in model.modules():
        # Fresh statistics (mean 0, variance 1) would hide a batch norm that was left out.
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(module.running_mean, -0.2, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    spec = model.describe(name, CLASS_NAMES if model.classes else ())
    Checkpoint(spec, arch, arguments, model.state_dict()).save(path)
    return path


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Checkpoints of MODELS by name. They must not be changed."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {name: make_checkpoint(name, folder / f"{name}.pt") for name in MODELS}


@pytest.fixture(scope="session")
def onnx_files(
    checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """ONNX exports of the same models by name. They must not be changed."""
    from engine.core.options import LoadOptions
    from engine.models.load import load_generator
    from export.convert import export_onnx

    folder = tmp_path_factory.mktemp("onnx")
    files = {}
    for name, checkpoint in checkpoints.items():
        files[name] = folder / f"{name}.onnx"
        export_onnx(load_generator(checkpoint, LoadOptions()), files[name])
    return files
