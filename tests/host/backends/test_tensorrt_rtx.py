"""TensorRT-RTX itself, as far as it goes without a GPU: a real plan, refused for real reasons."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine import Engine
from engine.backends import tensorrt
from engine.backends._cuda import no_gpu_reason
from engine.backends._tensorrt import flavours, import_flavour
from engine.backends._tensorrt_plan import LoadedPlan
from engine.core.artifacts import open_artifact, sidecar_path
from engine.core.errors import ArtifactError

pytestmark = pytest.mark.skipif(
    "tensorrt-rtx" not in flavours(), reason="needs TensorRT-RTX: pip install tensorrt-rtx-cu13"
)


@pytest.fixture(scope="module")
def built(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    from export.plan_options import BatchProfile, BuildOptions
    from export.tensorrt import export_tensorrt

    path = tmp_path_factory.mktemp("rtx") / "m.plan"
    options = BuildOptions(BatchProfile(1, 4, 8), ("sm86", "sm89"))
    export_tensorrt(open_artifact(checkpoints["gan-mlp"]), path, options)
    return path


@pytest.fixture
def plan(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, on a machine that seems to have a GPU until its library is asked."""
    for source in (built, sidecar_path(built)):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(tensorrt, "no_gpu_reason", lambda: None)
    monkeypatch.setattr(tensorrt, "compute_capability", lambda: 89)
    return tmp_path / built.name


def change(plan: Path, **changed: object) -> None:
    values = json.loads(sidecar_path(plan).read_text())
    sidecar_path(plan).write_text(json.dumps({**values, **changed}))


@pytest.mark.parametrize(
    "damage",
    [lambda data: b"junk", lambda data: b"\0" * 64 + data[64:], lambda data: data[:40]],
    ids=["junk", "header", "cut"],
)
def test_a_corrupt_plan(damage: object, plan: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert callable(damage)
    plan.write_bytes(damage(plan.read_bytes()))
    with pytest.raises(ArtifactError, match="belongs to another plan, or the plan is damaged"):
        Engine(plan)
    sidecar_path(plan).unlink()
    with pytest.raises(ArtifactError, match=r"m\.plan: this plan cannot run here: malformed eng"):
        LoadedPlan(plan, "tensorrt-rtx")
    assert capfd.readouterr() == ("", "")


def test_what_the_sidecar_refuses(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built_by = import_flavour("tensorrt-rtx").__version__
    change(plan, builder_version="1.0.0")
    with pytest.raises(ArtifactError, match=f"tensorrt-rtx 1.0.0, installed is {built_by};"):
        Engine(plan)
    change(plan, builder_version=built_by)
    monkeypatch.setattr(tensorrt, "compute_capability", lambda: 75)
    with pytest.raises(ArtifactError, match="built for sm86, sm89, this GPU is sm75; build it"):
        Engine(plan)


@pytest.mark.skipif(no_gpu_reason() is None, reason="needs a machine without an NVIDIA driver")
def test_without_a_driver_the_library_s_reason_is_told_on_one_line(
    plan: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ArtifactError, match="cannot run here: .*CUDA") as error:
        Engine(plan)
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")


def test_names_that_its_contexts_are_made_with() -> None:
    trt = import_flavour("tensorrt-rtx")
    assert trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
    assert trt.DynamicShapesKernelSpecializationStrategy.EAGER
    assert trt.TensorLocation.HOST != trt.TensorLocation.DEVICE
    names = {
        trt.ICudaEngine: (
            "create_runtime_config",
            "create_execution_context",
            "get_tensor_location",
            "get_tensor_profile_shape",
        ),
        trt.IRuntimeConfig: (
            "create_runtime_cache",
            "set_runtime_cache",
            "cuda_graph_strategy",
            "dynamic_shapes_kernel_specialization_strategy",
        ),
        trt.IRuntimeCache: ("serialize", "deserialize"),
        trt.IExecutionContext: (
            "set_input_shape",
            "infer_shapes",
            "set_tensor_address",
            "get_tensor_shape",
            "execute_async_v3",
        ),
    }
    for owner, members in names.items():
        assert [name for name in members if not hasattr(owner, name)] == []
