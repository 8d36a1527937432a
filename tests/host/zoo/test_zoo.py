"""Shipped models: they are the graphs they were made of, and their cards belong to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import benchmarks
from engine import Engine, zoo
from engine.backends._native.precision import holds
from engine.core.errors import ArtifactError
from engine.program import gen

MODELS = Path(benchmarks.__file__).parent / "models"
NAMES = ("dcgan-digits", "dcgan-emoji", "gan-mlp-digits", "vae-digits")


def test_what_ships() -> None:
    assert zoo.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_backends_agree_and_samples_differ(name: str) -> None:
    """The file and the ONNX graph that it was made of, computed in float64 and in float32."""
    shipped = Engine(name, backend="numpy", batch_size=8)
    samples = shipped.generate(16, output="float32")
    assert samples.std(axis=0).mean() > 0.05
    for backend in ("onnxruntime", "eager"):
        peer = Engine(MODELS / f"{name}.onnx", backend=backend, batch_size=8)
        assert peer.spec == shipped.spec
        np.testing.assert_allclose(peer.generate(16, output="float32"), samples, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_evidence_for_bfloat16_travels_with_the_model(name: str) -> None:
    evidence = gen.read(zoo.resolve(name)).evidence
    assert evidence is not None
    assert holds(evidence)


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
    assert list(card["files"]) == [f"{name}.gen"]


def test_names_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dcgan-digits").mkdir()
    assert zoo.resolve("dcgan-digits").suffix == ".gen"
    with pytest.raises(ArtifactError, match="did you mean 'dcgan-digits'"):
        zoo.resolve("dcgan-digit")
    with pytest.raises(ArtifactError, match="no shipped model is called 'x'; there are dcgan"):
        zoo.card("x")
