"""`verify` on real files: uint8 images, encoders, NaN, and options that one side alone needs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

pytest.importorskip("onnxruntime")
pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

Run = Callable[..., Result]
Change = Callable[[Any], None]


def changed(source: Path, target: Path, change: Change) -> Path:
    """A copy of an ONNX file whose model `change` has worked on."""
    model = onnx.load(source)
    change(model)
    onnx.save(model, target)
    return target


def weight(name: str, edit: Callable[[np.ndarray], np.ndarray]) -> Change:
    def change(model: Any) -> None:
        (found,) = [item for item in model.graph.initializer if item.name == name]
        array = edit(onnx.numpy_helper.to_array(found).copy()).astype(np.float32)
        found.CopyFrom(onnx.numpy_helper.from_array(array, name))

    return change


@pytest.fixture(scope="module")
def images(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    from engine.models.load import load_generator
    from export.convert import export_onnx

    path = tmp_path_factory.mktemp("uint8") / "images.onnx"
    export_onnx(load_generator(checkpoints["dcgan"]), path, output="uint8")
    return path


def test_images_alone_are_compared_as_images(
    run: Run, images: Path, onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    picture = tmp_path / "w.png"
    same = run("verify", onnx_files["dcgan"], images, "-n", 8, "--json", "--pictures", picture)
    assert same.exit_code == 0, same.output
    report = json.loads(same.stdout)
    assert report["compared_as"] == "uint8"
    assert report["tolerance"]["kind"] == "uint8"
    assert report["uint8"]["max_difference"] <= 1
    assert report["uint8"]["equal_share"] > 0.99
    assert picture.stat().st_size > 100
    table = run("verify", images, images, "-n", 8)
    assert table.exit_code == 0, table.output
    assert "uint8 images" in table.stdout
    # Images of an untrained network are nearly grey.
    moved = changed(images, tmp_path / "moved.onnx", weight("layers.9.weight", lambda w: w * 60))
    other = run("verify", images, moved, "-n", 8, "--json")
    assert other.exit_code == 1
    report = json.loads(other.stdout)
    # A step of an image, in the model's range of 2.
    assert report["max_error"] == pytest.approx(report["uint8"]["max_difference"] * 2 / 255)
    given = run("verify", images, moved, "-n", 8, "--max-error", report["max_error"] + 1e-6)
    assert given.exit_code == 0, given.output


def test_a_broken_encoder_is_found(
    run: Run, checkpoints: dict[str, Path], onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    whole = json.loads(run("verify", checkpoints["vae"], onnx_files["vae"], "--json").stdout)
    assert whole["encoder"]["relative_error"] < 1e-5
    broken = tmp_path / "broken.onnx"
    shutil.copy(onnx_files["vae"], broken)
    encoder = onnx_files["vae"].with_name("vae.encoder.onnx")
    changed(encoder, tmp_path / "broken.encoder.onnx", weight("mean.bias", lambda b: b + 0.1))
    result = run("verify", checkpoints["vae"], broken, "-n", 8)
    assert result.exit_code == 1
    assert "different: the encoder" in result.stdout
    assert run("verify", checkpoints["vae"], broken, "-n", 8, "--decoder-only").exit_code == 0
    (tmp_path / "broken.encoder.onnx").unlink()
    missing = run("verify", checkpoints["vae"], broken, "-n", 8)
    assert missing.exit_code == 2
    assert "broken.encoder.onnx: no such file" in missing.stderr


def test_an_encoder_that_one_side_lacks_is_told(
    run: Run, onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    lone = shutil.copy(onnx_files["vae"], tmp_path / "lone.onnx")
    result = run("verify", onnx_files["vae"], f"{lone}@numpy", "-n", 4)
    assert result.exit_code == 0, result.output
    assert "A alone has one" in result.stdout


def test_nan_is_a_verdict(run: Run, onnx_files: dict[str, Path], tmp_path: Path) -> None:
    bad = changed(
        onnx_files["gan-mlp"],
        tmp_path / "nan.onnx",
        weight("layers.0.weight", lambda w: w * np.nan),
    )
    picture = tmp_path / "w.png"
    result = run("verify", onnx_files["gan-mlp"], bad, "-n", 8, "--pictures", picture)
    assert result.exit_code == 1
    assert "its decoder gives NaN or infinity" in result.stdout
    assert "different: the decoder" in result.stdout
    assert "no picture" in result.stderr
    assert not picture.exists()
    report = json.loads(run("verify", bad, onnx_files["gan-mlp"], "-n", 8, "--json").stdout)
    assert report["not_finite"] == {"a": 0}
    assert report["max_error"] is None
    assert not report["passed"]


def test_a_side_that_describes_itself_is_spared_the_options(
    run: Run, checkpoints: dict[str, Path], onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    import torch

    from engine.models.safe_load import read_values

    values = read_values(checkpoints["gan-mlp"])
    bare = tmp_path / "bare.pt"
    torch.save({key: torch.as_tensor(value) for key, value in values["generator"].items()}, bare)
    options = ("--arch", "gan-mlp", "--arch-args", json.dumps(values["arch_args"]))
    result = run("verify", bare, onnx_files["gan-mlp"], "-n", 8, *options)
    assert result.exit_code == 0, result.output
    neither = run("verify", onnx_files["gan-mlp"], onnx_files["gan-mlp"], "--arch", "gan-mlp")
    assert neither.exit_code == 2
    assert "does not apply" in neither.stderr


def test_pictures_are_of_images(run: Run, models: dict[str, str], here: Path) -> None:
    refused = run("verify", models["drum"], models["drum"], "--pictures", "x.png")
    assert refused.exit_code == 2
    assert "'drum' makes audio" in refused.stderr
    assert run("verify", models["drum"], models["drum"]).exit_code == 0
