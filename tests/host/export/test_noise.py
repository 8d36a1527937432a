"""Generators that draw noise in forward: in every format and on every backend, by sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner

from engine import Engine, latents
from engine.cli import cli
from engine.core.artifacts import open_artifact
from engine.core.errors import OptionError
from engine.core.options import LoadOptions
from engine.core.spec import Noise
from engine.models.load import load_generator
from export.convert import export_onnx
from export.pack import export_gen

NETWORK = '''
import torch
from torch import nn


class Net(nn.Module):
    """A small synthesis network with noise of the StyleGAN kind, and classes."""

    nz = 6

    def __init__(self, classes=0):
        super().__init__()
        self.embed = nn.Embedding(classes, 6) if classes else None
        self.first = nn.ConvTranspose2d(6, 8, 4)
        self.strength = nn.Parameter(torch.full((8, 1, 1), 0.7))
        self.up = nn.ConvTranspose2d(8, 3, 4, 2, 1)

    def forward(self, z, labels=None):
        if self.embed is not None:
            z = z + self.embed(labels)
        x = self.first(z.reshape(-1, 6, 1, 1))
        x = torch.relu(x + self.strength * torch.randn(x.shape[0], 1, 4, 4, device=x.device))
        x = self.up(x)
        return torch.tanh(x + 0.5 * torch.rand_like(x))
'''
NOISE = (Noise((1, 4, 4), "normal", "noise_0"), Noise((3, 8, 8), "uniform", "noise_1"))


@pytest.fixture(scope="module", params=[0, 3], ids=["plain", "classes"])
def source(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, LoadOptions]:
    folder = tmp_path_factory.mktemp("noisy")
    code = folder / f"noisy_net_{request.param}.py"
    code.write_text(NETWORK)
    arguments = {"classes": request.param}
    space: dict[str, object] = {}
    exec(NETWORK, space)
    torch.manual_seed(1)
    network = space["Net"](**arguments)  # type: ignore[operator]
    torch.save(network.state_dict(), folder / "noisy.pt")
    return (
        folder / "noisy.pt",
        LoadOptions(f"{code}:Net", arguments, classes=request.param or None),
    )


@pytest.fixture(scope="module")
def files(
    source: tuple[Path, LoadOptions], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    path, options = source
    folder = tmp_path_factory.mktemp("noisy-files")
    report = export_onnx(load_generator(path, options), folder / "noisy.onnx")
    assert any("noise_0 normal [1, 4, 4]" in line for line in report.lines())
    export_gen(open_artifact(folder / "noisy.onnx"), folder / "noisy.gen")
    return {"onnx": folder / "noisy.onnx", "gen": folder / "noisy.gen"}


def test_the_graph_has_inputs_instead_of_draws(files: dict[str, Path]) -> None:
    graph = onnx.load(files["onnx"]).graph
    assert not [node for node in graph.node if node.op_type.startswith("Random")]
    names = [value.name for value in graph.input]
    assert [name for name in names if name != "labels"] == ["z", "noise_0", "noise_1"]


@pytest.mark.parametrize(
    ("kind", "backend"),
    [("onnx", "onnxruntime"), ("gen", "numpy"), ("gen", "native"), ("gen", "torch")],
)
def test_every_backend_gives_the_samples_of_pytorch(
    kind: str, backend: str, source: tuple[Path, LoadOptions], files: dict[str, Path]
) -> None:
    path, options = source
    given = {"arch": options.arch, "arch_args": options.arch_args, "classes": options.classes}
    with Engine(path, **given) as eager:
        assert eager.spec.noise == NOISE
        expected = eager.generate(21, seed=4, output="float32")
    with Engine(
        files[kind],
        backend=backend,
        precision="auto" if backend == "numpy" else "fp32",
        batch_size=8,
    ) as engine:
        assert engine.spec.noise == NOISE
        found = engine.generate(21, seed=4, output="float32")
        np.testing.assert_allclose(found, expected, atol=2e-5)
        # Sample i is a function of (seed, i), noise and all.
        np.testing.assert_array_equal(
            engine.generate(4, seed=4, start=13, output="float32"), found[13:17]
        )
        z, labels = engine.latents(4, seed=4, start=13), engine.labels(4, seed=4, start=13)
        np.testing.assert_array_equal(engine.decode(z, labels, seed=4, start=13), found[13:17])
        assert np.abs(engine.decode(z, labels, seed=5, start=13) - found[13:17]).max() > 0.01
        assert "noise_0 [1, 4, 4] normal" in engine.explain()


def test_noise_has_streams_of_its_own(files: dict[str, Path]) -> None:
    import onnxruntime

    with Engine(files["onnx"]) as engine:
        z, labels = engine.latents(3, seed=9), engine.labels(3, seed=9)
        samples = engine.generate(3, seed=9, output="float32")
    feed = {"z": z} | ({} if labels is None else {"labels": labels})
    for index, noise in enumerate(NOISE):
        kind = latents.Kind.NOISE_LAYER
        feed[noise.name] = latents.draw(noise, 9, 0, 3, kind=kind, index=index)
    (found,) = onnxruntime.InferenceSession(files["onnx"]).run(None, feed)
    np.testing.assert_allclose(found, samples, atol=1e-6)
    assert not np.array_equal(feed["noise_0"].ravel()[:6], z.ravel()[:6])


def test_programs_of_torch_export(tmp_path: Path) -> None:
    space: dict[str, object] = {}
    exec(NETWORK, space)
    torch.manual_seed(1)
    network = space["Net"]().eval()  # type: ignore[operator]
    batch = torch.export.Dim("batch")
    program = torch.export.export(network, (torch.randn(2, 6),), dynamic_shapes=({0: batch},))
    torch.export.save(program, tmp_path / "noisy.pt2")
    loaded = load_generator(tmp_path / "noisy.pt2")
    assert loaded.spec.noise == NOISE
    export_onnx(loaded, tmp_path / "noisy.onnx")
    with Engine(tmp_path / "noisy.onnx") as engine, Engine(tmp_path / "noisy.pt2") as eager:
        ours, theirs = (e.generate(5, seed=2, output="float32") for e in (engine, eager))
    np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_decode_on_the_command_line_takes_the_seed_of_the_noise(
    files: dict[str, Path], tmp_path: Path
) -> None:
    with Engine(files["gen"], batch_size=8) as engine:
        z, labels = engine.latents(3, seed=4), engine.labels(3, seed=4)
        expected = engine.generate(3, seed=4)
    np.save(tmp_path / "z.npy", z)
    common = ["decode", str(files["gen"]), "--latents", str(tmp_path / "z.npy")]
    common += ["--batch-size", "8"]
    common += [] if labels is None else ["--labels", ",".join(map(str, labels))]
    for seed, same in ((4, True), (5, False)):
        out = tmp_path / f"{seed}.npy"
        arguments = [*common, "--seed", str(seed), "-o", str(out)]
        assert CliRunner().invoke(cli, arguments).exit_code == 0
        assert np.array_equal(np.load(out), expected) is same


def test_noise_stands_still_on_the_way_between_two_samples(files: dict[str, Path]) -> None:
    with Engine(files["gen"], batch_size=4) as engine:
        frames = engine.interpolate(3, 9, 6, seed=4, output="float32")
        start = engine.generate(1, seed=4, start=3, output="float32")
        np.testing.assert_allclose(frames[:1], start, atol=1e-6)
        same = engine.interpolate(3, 3, 6, seed=4, output="float32")
        np.testing.assert_allclose(same, np.repeat(start, 6, axis=0), atol=1e-6)
        z, labels = engine.latents(2, seed=4, start=3), engine.labels(2, seed=4, start=3)
        own = engine.decode(z, labels, seed=4, start=3)
        held = engine.decode(z, labels, seed=4, still=3)
        np.testing.assert_allclose(held[0], own[0], atol=1e-6)
        assert np.abs(held[1] - own[1]).max() > 0.01
        with pytest.raises(OptionError, match="still=-1"):
            engine.decode(z, labels, still=-1)
