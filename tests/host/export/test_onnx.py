"""Exported graphs: what is in the file, agreement with PyTorch, and refusals that leave nothing."""

from __future__ import annotations

import json
import site
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import engine
from engine import latents
from engine.core.errors import ExportError, NumericalError, OptionError
from engine.core.spec import SPEC_KEY, Condition, GeneratorSpec, Noise, Output
from engine.models.load import load_generator
from engine.models.loaded import LoadedGenerator
from export.convert import export_onnx
from export.parity import check_module, graph_error

ALL = ["dcgan", "dcgan-classes", "vae", "vae-classes", "gan-mlp"]


def metadata(model: onnx.ModelProto) -> dict[str, str]:
    return {entry.key: entry.value for entry in model.metadata_props}


def wrap(module: nn.Module, shape: tuple[int, ...], output: tuple[int, ...]) -> LoadedGenerator:
    """A module as if it had been loaded."""
    kind = Output.image(output) if len(output) == 3 else Output(output, "CT", name="audio")
    modality = "image" if len(output) == 3 else "audio"
    spec = GeneratorSpec("net", "test", Noise(shape), kind, modality)
    return LoadedGenerator(spec, {"decoder": module.eval()}, "test:net", {})


@pytest.mark.parametrize("name", ALL)
def test_graph_contract(
    name: str, onnx_files: dict[str, Path], checkpoints: dict[str, Path]
) -> None:
    spec = load_generator(checkpoints[name]).spec
    model = onnx.load(onnx_files[name])
    onnx.checker.check_model(model, full_check=True)
    held = metadata(model)
    assert GeneratorSpec.from_json(held[SPEC_KEY]) == spec
    assert held["entry_point"] == "decoder"
    assert json.loads(held["generator_arch"])["name"] == name.split("-classes")[0]
    assert (model.producer_name, model.producer_version) == ("generator-engine", engine.__version__)
    session = onnxruntime.InferenceSession(onnx_files[name])
    inputs = {node.name: (node.type, node.shape) for node in session.get_inputs()}
    expected: dict[str, Any] = {"z": ("tensor(float)", ["batch", *spec.latent.shape])}
    if spec.classes:
        expected["labels"] = ("tensor(int64)", ["batch"])
    assert inputs == expected
    (output,) = session.get_outputs()
    assert (output.name, output.shape) == ("images", ["batch", *spec.output.shape])


@pytest.mark.parametrize("name", ALL)
def test_batch_norms_are_folded_and_names_kept(name: str, onnx_files: dict[str, Path]) -> None:
    model = onnx.load(onnx_files[name])
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    stored = {entry.name for entry in model.graph.initializer}
    weights = load_generator(onnx_files[name]).entry_points["decoder"].state_dict()
    assert {key for key in weights if key.endswith(".weight")} <= stored


@pytest.mark.parametrize("name", ALL)
def test_agrees_with_pytorch_for_any_batch(
    name: str, onnx_files: dict[str, Path], checkpoints: dict[str, Path]
) -> None:
    loaded = load_generator(checkpoints[name])
    session = onnxruntime.InferenceSession(onnx_files[name])
    for batch in (1, 3, 8):
        z = latents.draw(loaded.spec.latent, 11, 0, batch)
        feed = {"z": z}
        inputs = [torch.from_numpy(z)]
        if loaded.spec.classes:
            feed["labels"] = np.arange(batch) % len(loaded.spec.classes)
            inputs.append(torch.from_numpy(feed["labels"]))
        with torch.inference_mode():
            expected = loaded.entry_points["decoder"](*inputs).numpy()
        assert np.abs(session.run(None, feed)[0] - expected).max() < 1e-5


@pytest.mark.parametrize("name", ["vae", "vae-classes"])
def test_encoder_lies_beside(
    name: str, onnx_files: dict[str, Path], checkpoints: dict[str, Path]
) -> None:
    path = onnx_files[name].with_name(f"{name}.encoder.onnx")
    assert metadata(onnx.load(path))["entry_point"] == "encoder"
    loaded = load_generator(checkpoints[name])
    session = onnxruntime.InferenceSession(path)
    assert [node.name for node in session.get_outputs()] == ["mean", "logvar"]
    images = np.random.default_rng(0).random((3, *loaded.spec.output.shape), np.float32)
    feed = {"images": images}
    inputs = [torch.from_numpy(images)]
    if loaded.spec.classes:
        feed["labels"] = np.array([0, 1, 2])
        inputs.append(torch.from_numpy(feed["labels"]))
    with torch.inference_mode():
        expected = loaded.entry_points["encoder"](*inputs)
    for actual, reference in zip(session.run(None, feed), expected, strict=True):
        assert np.abs(actual - reference.numpy()).max() < 1e-5


def test_nothing_of_the_machine_is_in_the_file(onnx_files: dict[str, Path]) -> None:
    places = {
        str(Path.cwd()),
        str(Path.home()),
        *site.getsitepackages(),
        str(Path(torch.__file__).parent),
    }
    assert len(places) >= 3
    for path in onnx_files.values():
        data = path.read_bytes()
        for place in places | {"site-packages", "stack_trace", ".py", "torch.onnx"}:
            assert place.encode() not in data
        model = onnx.load(path)
        assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


def test_exports_are_the_same_each_time(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    loaded = load_generator(checkpoints["gan-mlp"])
    for name in ("a.onnx", "b.onnx"):
        export_onnx(loaded, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_an_onnx_file_can_be_exported_again(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    report = export_onnx(load_generator(onnx_files["vae"]), tmp_path / "again.onnx", "fp16-weights")
    assert [graph.entry_point for graph in report.graphs] == ["decoder", "encoder"]
    assert report.rounding is not None
    assert 0 < report.rounding < 1e-2


def test_report(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    report = export_onnx(load_generator(checkpoints["dcgan-classes"]), tmp_path / "d.onnx")
    (graph,) = report.graphs
    assert graph.inputs == ("z float32 [batch, 16]", "labels int64 [batch]")
    assert graph.outputs == ("images float32 [batch, 3, 32, 32]",)
    assert graph.size_bytes == (tmp_path / "d.onnx").stat().st_size
    assert 0 < graph.error < 1e-5
    text = "\n".join(report.lines())
    assert "max error" in text
    assert str(tmp_path / "d.onnx") in text


def test_sound(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv1d(8, 4, 3, padding=1), nn.ConvTranspose1d(4, 1, 8, 4, 2))
    report = export_onnx(wrap(network, (8, 10), (1, 40)), tmp_path / "v.onnx")
    assert report.graphs[0].outputs == ("audio float32 [batch, 1, 40]",)
    held = metadata(onnx.load(tmp_path / "v.onnx"))
    assert "generator_arch" not in held


def test_norms_outside_of_a_sequential_are_folded_in_the_graph(tmp_path: Path) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.norm = nn.ConvTranspose2d(4, 3, 4), nn.BatchNorm2d(3)
            nn.init.uniform_(self.norm.running_mean)
            nn.init.uniform_(self.norm.running_var, 0.5, 2)

        def forward(self, z: Tensor) -> Tensor:
            return torch.tanh(self.norm(self.up(z)))

    report = export_onnx(wrap(Net(), (4, 1, 1), (3, 4, 4)), tmp_path / "n.onnx")
    assert report.graphs[0].batch_norms == 0


class Noisy(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return (z + torch.randn_like(z))[:, :, None, None]


class Neighbours(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return (z - z.mean(0))[:, :, None, None]


class BatchStatistics(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3, track_running_stats=False)

    def forward(self, z: Tensor) -> Tensor:
        out: Tensor = self.norm(z)[:, :, None, None]
        return out


class FixedBatch(nn.Module):
    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch = batch

    def forward(self, z: Tensor) -> Tensor:
        return z.reshape(self.batch, 3, 1, 1)


class FiveClasses(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 3)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return (z + self.table(labels))[:, :, None, None]


class Branches(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return (z if z.sum() > 0 else -z)[:, :, None, None]


class Nan(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return torch.sqrt(z)[:, :, None, None]


@pytest.mark.parametrize(
    ("network", "kind", "message"),
    [
        (Noisy(), ExportError, "draws random numbers in forward"),
        (Neighbours(), ExportError, "depends on its neighbours in the batch"),
        (BatchStatistics(), ExportError, r"more than 1 value per channel.*statistics of the batch"),
        (FixedBatch(5), ExportError, r"inputs of shape \[1, 3\].*fixed batch"),
        (FixedBatch(2), ExportError, r"inputs of shape \[5, 3\].*fixed batch"),
        (Branches(), ExportError, "cannot be expressed in ONNX"),
        (Nan(), NumericalError, "gives NaN or infinity"),
    ],
    ids=[
        "noise",
        "neighbours",
        "batch-statistics",
        "batch-of-5",
        "batch-of-2",
        "control-flow",
        "nan",
    ],
)
def test_refuses_and_leaves_nothing(
    network: nn.Module, kind: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=message):
        export_onnx(wrap(network, (3,), (3, 1, 1)), tmp_path / "bad.onnx")
    assert list(tmp_path.iterdir()) == []


def test_rounding_between_two_runs_is_not_taken_for_noise() -> None:
    class Rounding(nn.Module):
        calls = 0

        def forward(self, z: Tensor) -> Tensor:
            self.calls += 1
            return z[:, :, None, None] * (1 + 1e-7 * self.calls)

    loaded = wrap(Rounding(), (3,), (3, 1, 1))
    check_module(loaded.entry_points["decoder"], loaded.spec, "decoder")


def test_more_classes_than_the_network_has(tmp_path: Path) -> None:
    loaded = wrap(FiveClasses(), (3,), (3, 1, 1))
    nine = loaded.spec.replace(condition=Condition(names=tuple("abcdefghi")))
    loaded = LoadedGenerator(nine, loaded.entry_points, "test:net", {})
    with pytest.raises(ExportError, match=r"index out of range.*--classes"):
        export_onnx(loaded, tmp_path / "bad.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_onnxruntime_cannot_run_is_refused(
    checkpoints: dict[str, Path], onnx_files: dict[str, Path]
) -> None:
    loaded = load_generator(checkpoints["gan-mlp"])
    wrong = loaded.spec.replace(latent=Noise((11,)))
    with pytest.raises(ExportError, match="cannot run the exported decoder on a batch of 1: "):
        graph_error(onnx_files["gan-mlp"], loaded.entry_points["decoder"], wrong, "decoder")


def test_a_graph_that_differs_is_not_written(
    checkpoints: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = load_generator(checkpoints["vae"])

    def wrong(module: nn.Module) -> nn.Module:
        with torch.no_grad():
            next(module.parameters()).add_(0.01)
        return module

    import copy

    monkeypatch.setattr("export.convert.folded", lambda module: wrong(copy.deepcopy(module)))
    with pytest.raises(ExportError, match="differs from PyTorch by"):
        export_onnx(loaded, tmp_path / "bad.onnx")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_survives_a_failed_export(tmp_path: Path) -> None:
    target = tmp_path / "old.onnx"
    target.write_bytes(b"old")
    with pytest.raises(ExportError):
        export_onnx(wrap(Noisy(), (3,), (3, 1, 1)), target)
    assert target.read_bytes() == b"old"


def test_unknown_precision(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="precision='int4' is unknown; known are fp32"):
        export_onnx(load_generator(checkpoints["gan-mlp"]), tmp_path / "x.onnx", "int4")  # type: ignore[arg-type]
