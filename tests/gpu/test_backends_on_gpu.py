"""The CUDA paths of the backends against eager on the CPU: `pytest -m gpu`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import Engine, backends

MODELS = ["dcgan", "dcgan-classes", "vae", "vae-classes", "gan-mlp"]

# fp32 without TF32: what the export enforces between eager and ONNX.
_TOLERANCE = 1e-4


def needs(backend: str) -> None:
    reason = backends.get(backend).unavailable()
    if reason:
        pytest.skip(reason)


def check(engine: Engine, checkpoint: Path) -> None:
    """Agreement with the CPU, and the promise that a sample never changes."""
    reference = Engine(checkpoint, backend="eager", device="cpu", batch_size=4)
    values = engine.generate(10, output="float32")
    np.testing.assert_allclose(
        values, reference.generate(10, output="float32"), atol=_TOLERANCE, rtol=0
    )
    assert (engine.generate(1, start=3, output="float32")[0] == values[3]).all()
    if "encoder" in engine.spec.entry_points:
        images, labels = engine.generate(5), engine.labels(5)
        np.testing.assert_allclose(
            engine.encode(images, labels), reference.encode(images, labels), atol=1e-3
        )


@pytest.mark.parametrize("name", MODELS)
def test_eager(name: str, checkpoints: dict[str, Path]) -> None:
    needs("eager")
    check(Engine(checkpoints[name], device="cuda", batch_size=4), checkpoints[name])


@pytest.mark.parametrize("name", MODELS)
def test_onnxruntime(name: str, checkpoints: dict[str, Path], onnx_files: dict[str, Path]) -> None:
    needs("onnxruntime")
    engine = Engine(onnx_files[name], backend="onnxruntime", device="cuda", batch_size=4)
    check(engine, checkpoints[name])


@pytest.mark.parametrize("name", MODELS)
def test_tensorrt(
    name: str, checkpoints: dict[str, Path], onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    needs("tensorrt")
    from export.tensorrt import main

    plan = tmp_path / f"{name}.plan"
    main([str(onnx_files[name]), "-o", str(plan), "--batch", "1:4:8"], standalone_mode=False)
    with Engine(plan) as engine:
        assert engine.batch_size == 4
        check(engine, checkpoints[name])


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision(precision: str, checkpoints: dict[str, Path]) -> None:
    needs("eager")
    engine = Engine(checkpoints["dcgan"], device="cuda", precision=precision, batch_size=4)
    reference = Engine(checkpoints["dcgan"], device="cpu", batch_size=4)
    difference = engine.generate(20).astype(int) - reference.generate(20)
    assert np.abs(difference).mean() < 1.0
