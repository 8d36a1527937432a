"""Reading generators: our checkpoints, our ONNX files, and what is refused."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.core.errors import ArtifactError, NumericalError, OptionError
from engine.core.options import LoadOptions
from engine.models import create
from engine.models.checkpoint import Checkpoint
from engine.models.load import load_generator


class Harmful:
    """Would create a file if a pickle were executed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def own(path: Path, **changes: Any) -> Path:
    arguments = {"size": 12, "hidden": [16], "latent": 10}
    model = create("gan-mlp", **arguments)
    weights = model.state_dict()
    values: dict[str, Any] = {
        "spec": model.describe("own"),
        "arch": "gan-mlp",
        "arch_args": arguments,
        "generator": weights,
        "generator_ema": {key: tensor + 1 for key, tensor in weights.items()},
    }
    Checkpoint(**{**values, **changes}).save(path)
    return path


@pytest.mark.parametrize("name", ["dcgan", "dcgan-classes", "vae", "vae-classes", "gan-mlp"])
def test_checkpoint_and_onnx_file_give_the_same_network(
    name: str, checkpoints: dict[str, Path], onnx_files: dict[str, Path]
) -> None:
    first, second = load_generator(checkpoints[name]), load_generator(onnx_files[name])
    assert first.spec == second.spec
    assert (first.arch, first.arch_args) == (second.arch, second.arch_args)
    assert first.entry_points.keys() == second.entry_points.keys()
    classes = len(first.spec.classes)
    labels = (torch.arange(3) % classes,) if classes else ()
    inputs = {
        "decoder": torch.randn(3, *first.spec.latent.shape),
        "encoder": torch.rand(3, *first.spec.output.shape),
    }
    for entry_point, module in first.entry_points.items():
        assert not module.training
        with torch.inference_mode():
            outputs = module(inputs[entry_point], *labels)
            others = second.entry_points[entry_point](inputs[entry_point], *labels)
        for a, b in zip(outputs, others, strict=True):
            assert (a - b).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("key", "shift"), [(None, 1.0), ("generator_ema", 1.0), ("generator", 0.0)], ids=str
)
def test_moving_average_or_raw_weights(key: str | None, shift: float, tmp_path: Path) -> None:
    path = own(tmp_path / "own.pt")
    raw = torch.load(path, weights_only=True)["generator"]["layers.0.weight"]
    loaded = load_generator(path, LoadOptions(state_key=key))
    weight = loaded.entry_points["decoder"].state_dict()["layers.0.weight"]
    assert torch.equal(weight, raw + shift)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (LoadOptions(classes=3), "classes=3 does not apply to .*describes itself"),
        (LoadOptions(arch="dcgan"), "arch='dcgan' does not apply"),
        (LoadOptions(input_shape=(4,)), r"input_shape=\(4,\) does not apply"),
    ],
    ids=["classes", "arch", "input-shape"],
)
def test_our_checkpoints_need_no_options(
    options: LoadOptions, message: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=message):
        load_generator(own(tmp_path / "own.pt"), options)


def test_unknown_state_key(tmp_path: Path) -> None:
    with pytest.raises(
        ArtifactError, match="no state dict 'ema'; it holds generator, generator_ema"
    ):
        load_generator(own(tmp_path / "own.pt"), LoadOptions(state_key="ema"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arch_args": {"size": 12, "hidden": [17], "latent": 10}}, r"shape \(16, 10\)"),
        ({"arch_args": {"size": 12, "hidden": [16, 4], "latent": 10}}, "lacks 'layers.3.weight'"),
        ({"generator_ema": {"x": torch.ones(1)}}, "lacks .* and has no place for 'x'"),
    ],
    ids=["shape", "missing", "unexpected"],
)
def test_weights_that_do_not_fit(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=message):
        load_generator(own(tmp_path / "own.pt", **changes))


def test_nan_in_the_weights(tmp_path: Path) -> None:
    weights = create("gan-mlp", size=12, hidden=[16], latent=10).state_dict()
    weights["layers.2.bias"][3] = float("inf")
    with pytest.raises(NumericalError, match=r"'layers\.2\.bias' holds 1 NaN or infinite"):
        load_generator(own(tmp_path / "nan.pt", generator_ema=weights))


def test_bare_state_dicts_of_our_networks_need_nothing_assumed(tmp_path: Path) -> None:
    path = tmp_path / "bare.pt"
    for name, arguments, classes in (
        ("dcgan", {"size": 32, "channels": 1, "latent": 6, "classes": 4, "width": 4}, 4),
        ("vae", {"size": 64, "channels": 3, "latent": 5, "classes": 2, "width": 4}, None),
        ("gan-mlp", {"size": 12, "channels": 3, "latent": 7, "hidden": [9, 11]}, None),
    ):
        model = create(name, **arguments)
        torch.save({f"module.{k}": t for k, t in model.state_dict().items()}, path)
        loaded = load_generator(path, LoadOptions(classes=classes))
        assert (loaded.arch, {**loaded.arch_args, **arguments}) == (name, dict(loaded.arch_args))
        assert loaded.spec.entry_points == tuple(model.entry_points())


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for index, write in enumerate((torch.save, lambda v, p: p.write_bytes(pickle.dumps(v)))):
        path = tmp_path / f"bad{index}.pt"
        write({"state_dict": Harmful(trap)}, path)
        with pytest.raises(ArtifactError, match=f"bad{index}"):
            load_generator(path)
    assert not trap.exists()


@pytest.mark.parametrize("size", [0, 10, 700, -1], ids=["empty", "head", "cut", "last-byte"])
@pytest.mark.parametrize("suffix", [".pt", ".onnx", ".safetensors", ".pt2"])
def test_damaged_files(suffix: str, size: int, tmp_path: Path, onnx_files: dict[str, Path]) -> None:
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".onnx":
        shutil.copy(onnx_files["gan-mlp"], whole)
    elif suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(create("gan-mlp", size=12, hidden=[16]).state_dict(), whole)
    elif suffix == ".pt2":
        whole.write_bytes(np.random.default_rng(0).bytes(2000))
    else:
        own(whole)
    path = tmp_path / f"damaged{suffix}"
    path.write_bytes(whole.read_bytes()[:size])
    with pytest.raises(ArtifactError, match="damaged"):
        load_generator(path)


def test_an_onnx_file_of_others_is_not_for_pytorch(
    onnx_files: dict[str, Path], tmp_path: Path
) -> None:
    import onnx

    model = onnx.load(onnx_files["gan-mlp"])
    del model.metadata_props[:]
    path = tmp_path / "foreign.onnx"
    onnx.save(model, path)
    with pytest.raises(ArtifactError, match="open it with backend='onnxruntime'"):
        load_generator(path)


def test_an_onnx_file_changed_after_export(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    import onnx

    model = onnx.load(onnx_files["gan-mlp"])
    model.graph.initializer[0].name = "renamed"
    path = tmp_path / "changed.onnx"
    onnx.save(model, path)
    with pytest.raises(ArtifactError, match="'layers.0.weight'.*export it again"):
        load_generator(path)
