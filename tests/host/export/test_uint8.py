"""Images straight from the graph: uint8 [batch, H, W, C]."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from engine import Engine
from engine.core.artifacts import open_artifact
from engine.core.errors import ArtifactError, ExportError, OptionError
from engine.models.load import load_generator
from export.convert import export_onnx
from export.pack import export_gen


@pytest.mark.parametrize("name", ["dcgan", "dcgan-classes", "vae", "gan-mlp"])
def test_the_images_that_the_engine_makes_of_floats(
    name: str, checkpoints: dict[str, Path], onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "bytes.onnx"
    export_onnx(load_generator(checkpoints[name]), path, output="uint8")
    with Engine(path) as ours, Engine(onnx_files[name]) as theirs:
        assert ours.backend == "onnxruntime"
        images, expected = ours.generate(37, seed=3), theirs.generate(37, seed=3)
        assert images.shape == expected.shape
        apart = np.abs(images.astype(int) - expected)
        assert apart.max() <= 1
        assert (apart > 0).mean() < 1e-3
        np.testing.assert_array_equal(ours.generate(5, seed=3, start=20), images[20:25])
    (output,) = onnxruntime.InferenceSession(path).get_outputs()
    channels, *sizes = ours.spec.output.shape
    assert (output.name, output.type) == ("images", "tensor(uint8)")
    assert output.shape == ["batch", *sizes, channels]
    # TensorRT has uint8 at its borders alone.
    assert onnx.load(path).graph.node[-1].op_type == "Cast"


def test_with_half_precision(
    checkpoints: dict[str, Path], onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "bytes.onnx"
    export_onnx(load_generator(checkpoints["dcgan"]), path, "auto", output="uint8")
    with Engine(path) as ours, Engine(onnx_files["dcgan"]) as theirs:
        apart = np.abs(ours.generate(8).astype(int) - theirs.generate(8))
    assert apart.mean() < 0.25


def test_what_such_a_file_cannot_give(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "bytes.onnx"
    export_onnx(load_generator(checkpoints["gan-mlp"]), path, output="uint8")
    with Engine(path) as engine, pytest.raises(OptionError, match="without --output uint8"):
        engine.generate(2, output="float32")
    with pytest.raises(ArtifactError, match="does not say which network"):
        Engine(path, backend="eager")
    with pytest.raises((ArtifactError, ExportError), match="uint8"):
        export_gen(open_artifact(path), tmp_path / "x.gen")
