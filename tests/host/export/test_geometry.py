"""Transposed convolutions of every rank and geometry, from PyTorch through ONNX and programs."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from engine import Engine
from engine.core.spec import GeneratorSpec, Noise, Output
from engine.models.load import load_generator
from engine.models.loaded import LoadedGenerator
from export.convert import export_onnx
from export.program import export_program

LAYERS = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
SIZE = 5


def network(rank: int, **geometry: int) -> LoadedGenerator:
    torch.manual_seed(rank)
    layer = LAYERS[rank](4, 6, 3, **geometry)
    last = LAYERS[rank](6, 1, 1)
    module = nn.Sequential(nn.Unflatten(1, (4, *(SIZE,) * rank)), layer, nn.Tanh(), last, nn.Tanh())
    latent = Noise((4 * SIZE**rank,))
    with torch.no_grad():
        shape = tuple(module(torch.zeros(1, *latent.shape)).shape[1:])
    if rank == 2:
        channels, height, width = shape
        output = Output.image((channels, height, width))
        spec = GeneratorSpec("net", "test", latent, output)
    else:
        kind = "audio" if rank == 1 else "tensor"
        output = Output(shape, "CT" if rank == 1 else "", name=kind)
        spec = GeneratorSpec("net", "test", latent, output, kind)  # type: ignore[arg-type]
    return LoadedGenerator(spec, {"decoder": module.eval()}, "test:net", {})


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize(
    "geometry",
    [
        {"stride": 2, "padding": 1},
        {"stride": 2, "padding": 1, "output_padding": 1},
        {"stride": 3, "padding": 2, "output_padding": 2, "groups": 2},
        {"stride": 1, "dilation": 2},
        {"stride": 2, "dilation": 2, "output_padding": 1, "groups": 2},
    ],
    ids=lambda geometry: "-".join(f"{key}{value}" for key, value in geometry.items()),
)
def test_onnxruntime_agrees_with_pytorch(
    rank: int, geometry: dict[str, int], tmp_path: Path
) -> None:
    loaded = network(rank, **geometry)
    report = export_onnx(loaded, tmp_path / "net.onnx")
    assert report.graphs[0].error < 1e-5
    with Engine(tmp_path / "net.onnx", batch_size=3) as engine:
        z = engine.latents(4, seed=1)
        made = engine.decode(z)
    with torch.inference_mode():
        expected = loaded.entry_points["decoder"](torch.from_numpy(z)).numpy()
    np.testing.assert_allclose(made, expected, atol=1e-5)
    assert math.prod(made.shape[1:]) == math.prod(loaded.spec.output.shape)


def test_the_same_checkpoint_gives_the_same_bytes(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    code = (
        "import sys; from engine.models.load import load_generator; "
        "from export.convert import export_onnx; "
        "export_onnx(load_generator(sys.argv[1]), sys.argv[2], sys.argv[3], output='uint8')"
    )
    files = [tmp_path / f"{number}.onnx" for number in range(2)]
    for number, file in enumerate(files):
        command = [sys.executable, "-c", code, checkpoints["dcgan-classes"], file, "auto"]
        # Sets and dictionaries of another process have another order.
        environment = {**os.environ, "PYTHONHASHSEED": str(number + 1)}
        subprocess.run(command, check=True, env=environment)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("name", ["dcgan-classes", "vae", "gan-mlp"])
def test_programs_out_and_in(name: str, checkpoints: dict[str, Path], tmp_path: Path) -> None:
    loaded = load_generator(checkpoints[name])
    report = export_program(loaded, tmp_path / "net.pt2")
    assert report.error < 1e-5
    read = load_generator(tmp_path / "net.pt2")
    assert read.spec == loaded.spec.replace(entry_points=("decoder",))
    with Engine(tmp_path / "net.pt2") as ours, Engine(checkpoints[name]) as theirs:
        a, b = (e.generate(7, seed=2, output="float32") for e in (ours, theirs))
    np.testing.assert_allclose(a, b, atol=1e-5)
    export_onnx(read, tmp_path / "again.onnx")


def test_a_program_in_three_dimensions(tmp_path: Path) -> None:
    loaded = network(3, stride=2, padding=1)
    export_program(loaded, tmp_path / "net.pt2")
    assert load_generator(tmp_path / "net.pt2").spec == loaded.spec
