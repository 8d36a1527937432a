"""Model repositories: the server's own schema reads what is written; the server was not at hand."""

from __future__ import annotations

import importlib.util
import json
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from engine.backends._plan_sidecar import PlanTensor, Profile, Sidecar, as_values
from engine.core.artifacts import open_artifact, sidecar_path
from engine.core.errors import ArtifactError, OptionError, OutputError
from engine.core.files import sha256
from engine.core.spec import GeneratorSpec
from engine.models.load import load_generator
from export.convert import export_onnx
from export.triton_server import Serving, export_repository, main


def schema() -> Any:
    """The module of the client package that holds the schema; the package itself wants grpc."""
    try:
        (path,) = (f for f in files("tritonclient") or () if f.match("grpc/model_config_pb2.py"))
    except PackageNotFoundError:
        pytest.skip("needs the server's schema: pip install tritonclient")
    spec = importlib.util.spec_from_file_location("model_config_pb2", str(path.locate()))
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(folder: Path) -> Any:
    from google.protobuf import text_format

    config = schema().ModelConfig()
    # Unknown fields and names raise.
    text_format.Parse((folder / "config.pbtxt").read_text(), config)
    return config


def test_an_onnx_file_with_classes(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    artifact = open_artifact(onnx_files["dcgan-classes"])
    serving = Serving(64, 1000, 2, "gpu")
    (folder,) = export_repository(artifact, tmp_path / "repo", serving=serving)
    assert folder == tmp_path / "repo" / "dcgan-classes"
    assert (folder / "1" / "model.onnx").read_bytes() == artifact.path.read_bytes()
    config = read(folder)
    spec = load_generator(artifact.path).spec
    assert (config.name, config.backend) == ("dcgan-classes", "onnxruntime")
    assert config.max_batch_size == 64
    assert [(i.name, list(i.dims)) for i in config.input] == [
        ("z", list(spec.latent.shape)),
        ("labels", [1]),
    ]
    # The graph takes [batch], and the server has no empty dims.
    assert config.input[1].HasField("reshape")
    assert list(config.input[1].reshape.shape) == []
    assert [i.data_type for i in config.input] == [
        schema().TYPE_FP32,
        schema().TYPE_INT64,
    ]
    assert [(o.name, list(o.dims)) for o in config.output] == [("images", list(spec.output.shape))]
    assert config.dynamic_batching.max_queue_delay_microseconds == 1000
    assert [(g.kind, g.count) for g in config.instance_group] == [(1, 2)]
    told = config.parameters["generator_spec"].string_value
    assert GeneratorSpec.from_json(told) == spec


def test_names_beyond_ascii_survive(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    import dataclasses

    loaded = load_generator(checkpoints["gan-mlp"])
    spec = loaded.spec.replace(name='\u00e9mil "x"\\\n\u6f22')
    export_onnx(dataclasses.replace(loaded, spec=spec), tmp_path / "m.onnx", output="uint8")
    (folder,) = export_repository(open_artifact(tmp_path / "m.onnx"), tmp_path / "repo")
    config = read(folder)
    told = config.parameters["generator_spec"].string_value
    assert GeneratorSpec.from_json(told).name == spec.name
    assert config.output[0].data_type == schema().TYPE_UINT8


def test_an_encoder_is_a_model_of_its_own(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    folders = export_repository(open_artifact(onnx_files["vae"]), tmp_path, name="v")
    assert [folder.name for folder in folders] == ["v", "v_encoder"]
    assert [o.name for o in read(folders[1]).output] == ["mean", "logvar"]


def plan(folder: Path, builder: str) -> Path:
    """A plan's sidecar beside bytes that stand for it."""
    path = folder / "d.plan"
    path.write_bytes(b"plan")
    spec = GeneratorSpec.from_json(
        json.dumps(
            {
                "version": 1,
                "name": "d",
                "family": "dcgan",
                "latent": {"shape": [8]},
                "output": {"shape": [1, 4, 4]},
            }
        )
    )
    sidecar = Sidecar(
        entry_point="decoder",
        sha256=sha256(path),
        builder=builder,
        builder_version="10.9",
        targets=("this GPU",),
        precision="fp32",
        batch=Profile(1, 8, 32),
        tensors=(
            PlanTensor("z", "input", "float32", (-1, 8)),
            PlanTensor("images", "output", "uint8", (-1, 4, 4, 1)),
        ),
    )
    sidecar_path(path).write_text(json.dumps(as_values(sidecar, spec)))
    return path


def test_a_plan_of_tensorrt(tmp_path: Path) -> None:
    path = plan(tmp_path, "tensorrt")
    (folder,) = export_repository(open_artifact(path), tmp_path / "repo")
    config = read(folder)
    assert (config.platform, config.max_batch_size) == ("tensorrt_plan", 32)
    assert list(config.output[0].dims) == [4, 4, 1]
    assert (folder / "1" / "model.plan").read_bytes() == b"plan"


def test_refusals(onnx_files: dict[str, Path], tmp_path: Path) -> None:
    artifact = open_artifact(onnx_files["gan-mlp"])
    with pytest.raises(ArtifactError, match="built by tensorrt-rtx; the server runs plans of Tens"):
        export_repository(open_artifact(plan(tmp_path, "tensorrt-rtx")), tmp_path / "repo")
    with pytest.raises(OptionError, match=r"name '\.\./up'"):
        export_repository(artifact, tmp_path / "repo", name="../up")
    assert not (tmp_path / "repo").exists()
    export_repository(artifact, tmp_path / "repo")
    with pytest.raises(OutputError, match="is there already"):
        export_repository(artifact, tmp_path / "repo")
    assert [path.name for path in (tmp_path / "repo").iterdir()] == ["gan-mlp"]


def test_the_command(
    onnx_files: dict[str, Path], checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    run = CliRunner().invoke
    done = run(main, [str(onnx_files["dcgan"]), "-o", str(tmp_path / "repo"), "--device", "cpu"])
    assert done.exit_code == 0, done.output
    assert "dcgan/config.pbtxt" in done.output
    refused = run(main, [str(checkpoints["dcgan"]), "-o", str(tmp_path / "repo")])
    assert refused.exit_code == 2
    assert "the server runs ONNX files and plans" in refused.output
