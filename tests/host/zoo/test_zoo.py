"""Shipped models: they run on every backend alike, and their cards belong to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import Engine, zoo
from engine.core.errors import ArtifactError

NAMES = ("dcgan-digits", "dcgan-emoji", "gan-mlp-digits", "vae-digits")


def test_what_ships() -> None:
    assert zoo.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_backends_agree_and_samples_differ(name: str) -> None:
    onnx, eager = Engine(name, batch_size=8), Engine(name, backend="eager", batch_size=8)
    assert onnx.backend == "onnxruntime"
    samples = onnx.generate(16, output="float32")
    # The stored fp16 weights are the network; both backends compute it in fp32.
    np.testing.assert_allclose(eager.generate(16, output="float32"), samples, atol=1e-4)
    assert samples.std(axis=0).mean() > 0.05


def test_vae_reconstructs() -> None:
    engine = Engine("vae-digits", batch_size=8)
    images = Engine("dcgan-digits", batch_size=8).generate(20)
    error = np.abs(engine.reconstruct(images).astype(int) - images).mean()
    # A blank image is about 30 grey levels away from a digit.
    assert error < 15


@pytest.mark.parametrize("name", NAMES)
def test_card(name: str) -> None:
    card = zoo.card(name)
    spec = Engine(name).spec
    assert card["name"] == spec.name == name
    assert card["licence"] == spec.provenance.licence
    folder = Path(zoo.__file__).parent
    assert card["files"] == {file: (folder / file).stat().st_size for file in card["files"]}
    assert f"{name}.onnx" in card["files"]


def test_names_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dcgan-digits").mkdir()
    assert zoo.resolve("dcgan-digits").suffix == ".onnx"
    with pytest.raises(ArtifactError, match="did you mean 'dcgan-digits'"):
        zoo.resolve("dcgan-digit")
    with pytest.raises(ArtifactError, match="no shipped model is called 'x'; there are dcgan"):
        zoo.card("x")
