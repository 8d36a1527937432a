"""Precision that is probed: what overflows stays in fp32, what costs too much as well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import benchmarks
from engine import Engine
from engine.core.errors import ArtifactError, ExportError, OptionError
from engine.core.spec import PRECISION_KEY, SPEC_KEY, GeneratorSpec, Noise, Output
from engine.models.load import load_generator
from engine.models.loaded import LoadedGenerator
from export.convert import export_onnx

LOUD = 2.0e6


class Rigged(nn.Module):
    """Three transposed convolutions; the middle one is so loud that fp16 overflows."""

    def __init__(self, loud: float = LOUD) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.ConvTranspose2d(8, 16, 4)
        self.middle = nn.ConvTranspose2d(16, 16, 4, 2, 1)
        self.last = nn.ConvTranspose2d(16, 3, 4, 2, 1)
        self.loud = loud

    def forward(self, z: Tensor) -> Tensor:
        x = torch.relu(self.first(z.reshape(-1, 8, 1, 1)))
        x = torch.relu(self.middle(x) * self.loud)
        return torch.tanh(self.last(x / self.loud) * 4)


def loaded(module: nn.Module, size: int = 16) -> LoadedGenerator:
    spec = GeneratorSpec("rigged", "test", Noise((8,)), Output.image((3, size, size)))
    return LoadedGenerator(spec, {"decoder": module.eval()}, "test:net", {})


def decisions(path: Path) -> dict[str, str]:
    spec = GeneratorSpec.from_json(metadata(path)[SPEC_KEY])
    return {layer.layer: layer.precision for layer in spec.precisions}


def metadata(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def test_exactly_the_layer_that_overflows_stays_in_fp32(tmp_path: Path) -> None:
    path = tmp_path / "auto.onnx"
    report = export_onnx(loaded(Rigged()), path, "auto")
    assert decisions(path) == {"first": "fp16", "middle": "fp32", "last": "fp16"}
    assert metadata(path)[PRECISION_KEY] == "mixed"
    text = "\n".join(report.lines())
    assert "2 of 3 layers in fp16" in text
    assert "fp32      middle: reaches" in text
    spec = GeneratorSpec.from_json(metadata(path)[SPEC_KEY])
    assert spec.precisions[1].largest > 65504
    assert GeneratorSpec.from_json(spec.to_json()) == spec
    export_onnx(loaded(Rigged()), tmp_path / "full.onnx")
    with Engine(path) as mixed, Engine(tmp_path / "full.onnx") as full:
        assert mixed.precision == "mixed"
        ours, theirs = (engine.generate(64).astype(float) for engine in (mixed, full))
    error = ours - theirs
    assert 10 * np.log10(255**2 / np.square(error).mean()) > 45


def test_fp16_that_overflows_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"middle of the decoder reach .*65504.*--precision auto"):
        export_onnx(loaded(Rigged()), tmp_path / "x.onnx", "fp16")
    assert list(tmp_path.iterdir()) == []


def test_a_layer_that_costs_too_much_stays_in_fp32(tmp_path: Path) -> None:
    class Sharp(Rigged):
        """A last layer whose small differences of large numbers become the image."""

        def forward(self, z: Tensor) -> Tensor:
            x = torch.relu(self.first(z.reshape(-1, 8, 1, 1)))
            x = torch.relu(self.middle(x)) + 300.0
            return torch.tanh(self.last(x) - self.last(torch.full_like(x, 300.0)))

    path = tmp_path / "auto.onnx"
    export_onnx(loaded(Sharp()), path, "auto")
    found = decisions(path)
    assert "fp32" in found.values()
    assert found["first"] == "fp16"
    spec = GeneratorSpec.from_json(metadata(path)[SPEC_KEY])
    kept = [layer for layer in spec.precisions if layer.precision == "fp32"]
    assert all("beyond the budget" in layer.reason for layer in kept)
    assert min(layer.psnr_db for layer in spec.precisions) == min(item.psnr_db for item in kept)


@pytest.mark.parametrize("name", ["dcgan", "dcgan-classes", "vae", "gan-mlp"])
def test_models_of_ours_in_fp16(
    name: str, checkpoints: dict[str, Path], onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "half.onnx"
    report = export_onnx(load_generator(checkpoints[name]), path, "auto")
    assert set(decisions(path).values()) == {"fp16"}
    assert not any(graph.not_run for graph in report.graphs)
    half = path.stat().st_size / onnx_files[name].stat().st_size
    assert half < 0.75
    with Engine(path) as lower, Engine(onnx_files[name]) as full:
        assert lower.precision == "fp16"
        error = lower.generate(16).astype(float) - full.generate(16)
    assert 10 * np.log10(255**2 / max(np.square(error).mean(), 1e-9)) > 45


def test_bf16_is_measured_without_a_runtime_for_it(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    report = export_onnx(load_generator(checkpoints["dcgan"]), tmp_path / "b.onnx", "bf16")
    lowered = report.graphs[0].lowered
    assert lowered is not None
    assert 20 < lowered.cost.mean_psnr_db < 80
    stored = onnx.load(tmp_path / "b.onnx").graph.initializer
    assert any(item.data_type == onnx.TensorProto.BFLOAT16 for item in stored)
    with pytest.raises(ArtifactError, match="on the CPU export it in fp32, fp16 or auto"):
        Engine(tmp_path / "b.onnx", device="cpu")


def test_int8_is_calibrated_and_its_cost_told(
    checkpoints: dict[str, Path], onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "i.onnx"
    report = export_onnx(load_generator(checkpoints["dcgan-classes"]), path, "int8", output="uint8")
    lowered = report.graphs[0].lowered
    assert lowered is not None
    operators = {node.op_type for node in onnx.load(path).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= operators
    assert "the image budget: PSNR to fp32" in "\n".join(report.lines())
    assert metadata(path)[PRECISION_KEY] == "int8"
    with Engine(path) as coarse, Engine(onnx_files["dcgan-classes"]) as exact:
        assert coarse.precision == "int8"
        error = coarse.generate(64).astype(float) - exact.generate(64)
    measured = 10 * np.log10(255**2 / np.square(error).mean())
    assert measured == pytest.approx(lowered.cost.mean_psnr_db, abs=3)


def test_an_encoder_is_calibrated_on_images_and_not_on_noise(tmp_path: Path) -> None:
    source = Path(benchmarks.__file__).parent / "models" / "vae-digits.onnx"
    export_onnx(load_generator(source), tmp_path / "i.onnx", "int8")
    with Engine(source, backend="onnxruntime") as exact, Engine(tmp_path / "i.onnx") as coarse:
        images = exact.generate(64, seed=5)
        error = np.abs(coarse.encode(images) - exact.encode(images))
    # Ranges of uniform noise cut numbers off by up to 1.9.
    assert error.max() < 0.25


def test_unknown_choices(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    source = load_generator(checkpoints["gan-mlp"])
    with pytest.raises(OptionError, match="precision='int3' is unknown"):
        export_onnx(source, tmp_path / "x.onnx", "int3")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="opset 20 has no convolutions in bfloat16; give 22"):
        export_onnx(source, tmp_path / "x.onnx", "bf16", opset=20)
    with pytest.raises(OptionError, match="output='jpeg' is unknown"):
        export_onnx(source, tmp_path / "x.onnx", output="jpeg")  # type: ignore[arg-type]
