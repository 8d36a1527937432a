"""Networks on the Triton kernels of a GPU, replayed as CUDA graphs: `pytest -m gpu`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import Engine, backends
from engine.core.artifacts import open_artifact
from engine.images import to_uint8
from export.pack import export_gen

MODELS = ["dcgan", "dcgan-classes", "vae", "vae-classes", "gan-mlp"]

# Largest error of outputs in [-1, 1]: roundings of the operand's type over five layers.
BOUNDS = {"fp32": 1e-4, "fp16": 1e-2, "bf16": 8e-2}


@pytest.fixture(scope="module")
def packed(
    onnx_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    reason = backends.get("triton").unavailable()
    if reason:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("packed")
    for name in MODELS:
        export_gen(open_artifact(onnx_files[name]), folder / f"{name}.gen")
    return {name: folder / f"{name}.gen" for name in MODELS}


@pytest.mark.parametrize("batch_size", [1, 5, 64])
@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("name", MODELS)
def test_networks(name: str, precision: str, batch_size: int, packed: dict[str, Path]) -> None:
    engine = Engine(packed[name], backend="triton", precision=precision, batch_size=batch_size)
    wanted = Engine(packed[name], backend="numpy").generate(12, output="float32")
    # Twice: the first batch warms up and captures, the others only replay.
    for _ in range(2):
        images = engine.generate(12, output="float32")
        assert np.abs(images - wanted).max() <= BOUNDS[precision]
        assert (engine.generate(1, start=7, output="float32")[0] == images[7]).all()
    difference = engine.generate(12).astype(int) - to_uint8(images, engine.spec.output.range)
    assert np.abs(difference).max() <= 1
    assert "CUDA graph" not in engine.explain()
    if "encoder" in engine.spec.entry_points:
        labels = engine.labels(12)
        ours, theirs = (
            opened.encode(wanted, labels)
            for opened in (engine, Engine(packed[name], backend="numpy"))
        )
        assert np.abs(ours - theirs).max() <= 4 * BOUNDS[precision]


def test_auto_takes_the_gpu(packed: dict[str, Path]) -> None:
    engine = Engine(packed["dcgan"])
    assert (engine.backend, engine.device, engine.precision) == ("triton", "cuda", "fp16")


def test_tensors_stay_on_the_gpu(packed: dict[str, Path]) -> None:
    engine = Engine(packed["dcgan"], batch_size=4)
    first, second = engine.stream(8, output="torch")
    assert first.is_cuda
    assert not (first == second).all()
