"""`.gen` files behind Engine, on the backend that is always there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from engine import Engine, backends
from engine.cli import cli
from engine.core.artifacts import open_artifact
from engine.core.errors import ArtifactError, BackendUnavailableError, NumericalError, OptionError
from engine.core.spec import GeneratorSpec, Noise, Output
from engine.program import gen, graph
from engine.program.execute import execute
from engine.program.gen import Gen
from engine.program.graph import Activation, Value
from tests.cases.small_programs import GENERATORS, program, vae

NO_DRIVER = "no NVIDIA driver on this machine (libcuda.so.1 not found)"


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("gen")
    for name, make in GENERATORS.items():
        gen.write(folder / f"{name}.gen", make())
    return {name: folder / f"{name}.gen" for name in GENERATORS}


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU, no interpreted kernels, no native library, no PyTorch, whatever there really is."""
    monkeypatch.setattr("engine.backends.native.library.unavailable", lambda: "it was not built")
    monkeypatch.setattr("engine.backends.torch.not_installed", lambda *_: "it is not there")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr("engine.backends.triton.no_gpu_reason", lambda: NO_DRIVER)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("name", GENERATORS)
def test_auto_takes_numpy_where_nothing_else_runs_and_says_why(
    name: str, files: dict[str, Path]
) -> None:
    engine = Engine(files[name])
    assert engine.backend == "numpy"
    assert NO_DRIVER in engine.explain()
    assert "TRITON_INTERPRET=1" in engine.explain()
    assert "native: it was not built; torch: it is not there" in engine.explain()
    assert "last resort" in engine.explain()
    images = engine.generate(4)
    channels, height, width = engine.spec.output.shape
    assert images.shape == (4, height, width, channels)
    assert images.std() > 5


def test_samples_are_those_of_the_executor(files: dict[str, Path]) -> None:
    engine = Engine(files["vae"], backend="numpy", batch_size=4)
    images = engine.generate(6, seed=3, start=1, output="float32", labels=2)
    feed = {"z": engine.latents(6, seed=3, start=1), "labels": np.full(6, 2)}
    wanted = execute(vae().programs["decoder"], feed)["images"]
    np.testing.assert_array_equal(images, wanted.transpose(0, 3, 1, 2).astype(np.float32))


def test_encoding_runs_the_encoder(files: dict[str, Path]) -> None:
    engine = Engine(files["vae"], backend="numpy")
    images = engine.generate(3, output="float32", labels=1)
    mean, logvar = engine.posterior(images, labels=1)
    feed = {"images": images.transpose(0, 2, 3, 1), "labels": np.full(3, 1)}
    wanted = execute(vae().programs["encoder"], feed)
    np.testing.assert_allclose(mean, wanted["mean"], atol=1e-6)
    np.testing.assert_allclose(logvar, wanted["logvar"], atol=1e-6)


def test_samples_do_not_depend_on_the_batch(files: dict[str, Path]) -> None:
    whole = Engine(files["dcgan"], backend="numpy", batch_size=8).generate(9, output="float32")
    parts = Engine(files["dcgan"], backend="numpy", batch_size=1).generate(9, output="float32")
    np.testing.assert_allclose(whole, parts, atol=1e-6)


@pytest.mark.usefixtures("bare")
def test_triton_without_a_gpu_gives_the_reason_on_one_line(files: dict[str, Path]) -> None:
    with pytest.raises(BackendUnavailableError) as caught:
        Engine(files["dcgan"], backend="triton")
    assert NO_DRIVER in str(caught.value)
    assert "numpy" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_old_gpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setattr("engine.backends.triton.no_gpu_reason", lambda: None)
    monkeypatch.setattr("engine.backends.triton.compute_capability", lambda: 75)
    assert "compute capability 7.5, the kernels need 8.0" in str(
        backends.get("triton").unavailable()
    )
    monkeypatch.setattr("engine.backends.triton.not_installed", lambda *_: "it is not there")
    assert backends.get("triton").unavailable() == "it is not there"


def test_other_backends_do_not_open_it(files: dict[str, Path]) -> None:
    with pytest.raises(OptionError, match=r"'eager' does not open dcgan\.gen; these do: triton"):
        Engine(files["dcgan"], backend="eager")
    with pytest.raises(OptionError, match=r"classes=3 does not apply to .*describes itself"):
        Engine(files["dcgan"], backend="numpy", classes=3)


def test_info_reads_the_header_alone(files: dict[str, Path], tmp_path: Path) -> None:
    damaged = tmp_path / "x.gen"
    damaged.write_bytes(files["vae"].read_bytes()[:-70] + bytes(70))
    result = CliRunner().invoke(cli, ["info", str(damaged)])
    assert result.exit_code == 0
    assert "tiny-vae" in result.stdout
    assert "decoder, encoder" in result.stdout
    with pytest.raises(ArtifactError, match="the weights are damaged"):
        Engine(damaged, backend="numpy")
    assert open_artifact(damaged).kind == "gen"


def test_a_model_that_gives_nan_is_found(tmp_path: Path) -> None:
    ends = {"inputs": ("z",), "outputs": ("l",)}
    decoder = program(
        "decoder",
        (Value("z", (4,)),),
        graph.Elementwise(name="log", **ends, activation=Activation("log")),
        graph.Reshape(name="image", inputs=("l",), outputs=("images",), shape=(2, 2, 1)),
    )
    spec = GeneratorSpec("log", "x", Noise((4,)), Output.image((1, 2, 2)))
    gen.write(tmp_path / "x.gen", Gen(spec, {"decoder": decoder}))
    engine = Engine(tmp_path / "x.gen", backend="numpy")
    with np.errstate(invalid="ignore"), pytest.raises(NumericalError, match="sample 0 of 'log'"):
        engine.generate(2)
