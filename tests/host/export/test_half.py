"""Weights stored in fp16, arithmetic in fp32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto
from torch import nn

from engine.core.artifacts import open_artifact
from engine.core.errors import ExportError
from engine.models.fold import folded
from engine.models.load import load_generator
from export.convert import export_onnx
from export.half import round_weights
from export.pack import export_gen


@pytest.mark.parametrize("name", ["dcgan-classes", "gan-mlp"])
def test_half_the_file_and_the_rounded_network(
    name: str, checkpoints: dict[str, Path], onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    loaded = load_generator(checkpoints[name])
    with torch.no_grad():
        # Fresh weights are so small that rounding them would hardly show.
        for parameter in loaded.entry_points["decoder"].parameters():
            parameter.mul_(5)
    path = tmp_path / "half.onnx"
    report = export_onnx(loaded, path, "fp16-weights")
    # What is made of it says the same of its weights.
    assert export_gen(open_artifact(path), tmp_path / "half.gen").gen.source.precision == (
        "fp16-weights"
    )
    assert path.stat().st_size < 0.7 * onnx_files[name].stat().st_size
    model = onnx.load(path)
    kinds = {entry.name: entry.data_type for entry in model.graph.initializer}
    weights = load_generator(path).entry_points["decoder"].state_dict()
    for key, tensor in weights.items():
        if tensor.ndim > 1:
            assert kinds[key] == TensorProto.FLOAT16

    rounded = round_weights(folded(loaded.entry_points["decoder"]))
    z = torch.randn(4, *loaded.spec.latent.shape)
    feed = {"z": z.numpy()}
    inputs = [z]
    if loaded.spec.classes:
        feed["labels"] = np.array([0, 1, 2, 3])
        inputs.append(torch.from_numpy(feed["labels"]))
    (actual,) = onnxruntime.InferenceSession(path).run(None, feed)
    with torch.inference_mode():
        expected = rounded(*inputs).numpy()
        rebuilt = load_generator(path).entry_points["decoder"](*inputs).numpy()
        original = loaded.entry_points["decoder"](*inputs).numpy()
    assert actual.dtype == np.float32
    assert np.abs(actual - expected).max() < 1e-5
    assert np.abs(rebuilt - expected).max() < 1e-5
    assert 1e-4 < np.abs(original - expected).max() < 0.05
    assert report.rounding is not None


def test_vectors_keep_their_precision() -> None:
    layer = nn.Linear(3, 3)
    with torch.no_grad():
        layer.weight.fill_(1 / 3)
        layer.bias.fill_(1 / 3)
    round_weights(layer)
    assert layer.bias[0] == torch.tensor(1 / 3)
    assert layer.weight[0, 0] == torch.tensor(1 / 3).half().float()


def test_too_large_for_half() -> None:
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.fill_(1e5)
    with pytest.raises(ExportError, match=r"'weight' holds 1e\+05, more than float16"):
        round_weights(layer)
