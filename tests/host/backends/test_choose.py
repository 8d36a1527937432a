"""Which backend opens what, and what is said when none can."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine import Engine, backends
from engine.backends import _cuda
from engine.core.artifacts import open_artifact, sidecar_path
from engine.core.errors import ArtifactError, BackendUnavailableError, OptionError

NO_DRIVER = "no NVIDIA driver on this machine (libcuda.so.1 not found)"


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine has no GPU, whatever it really has."""
    _cuda.no_gpu_reason.cache_clear()
    monkeypatch.setattr("engine.backends.tensorrt.no_gpu_reason", lambda: NO_DRIVER)


def test_doctor_names_every_backend() -> None:
    reports = {report.name: report for report in backends.doctor()}
    assert set(reports) == set(backends.names())
    assert all(report.available == (not report.reason) for report in reports.values())
    assert reports["null"].available
    assert reports["eager"].version


def test_a_missing_package_is_a_reason(
    monkeypatch: pytest.MonkeyPatch, onnx_files: dict[str, Path]
) -> None:
    monkeypatch.setattr("engine.backends.onnxruntime.not_installed", lambda *_: "it is not there")
    artifact = open_artifact(onnx_files["dcgan"])
    with pytest.raises(BackendUnavailableError, match="'onnxruntime' cannot run here: it is not"):
        backends.choose(artifact, "onnxruntime")
    choice = backends.choose(artifact, "auto")
    assert choice.backend.name == "eager"
    assert "onnxruntime: it is not there" in choice.reason


@pytest.mark.usefixtures("no_gpu")
def test_a_plan_without_a_gpu_says_so_in_one_line(tmp_path: Path) -> None:
    plan = tmp_path / "dcgan.plan"
    plan.write_bytes(b"x" * 100)
    with pytest.raises(BackendUnavailableError) as caught:
        Engine(plan)
    assert NO_DRIVER in str(caught.value)
    assert "dcgan.plan" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_backend_that_does_not_open_this_kind(tmp_path: Path) -> None:
    plan = tmp_path / "x.plan"
    plan.write_bytes(b"x")
    with pytest.raises(
        OptionError, match=r"'eager' does not open x\.plan; these do: tensorrt, null"
    ):
        Engine(plan, backend="eager")


def test_null_reads_the_sidecar_of_a_plan(tmp_path: Path, onnx_files: dict[str, Path]) -> None:
    spec = Engine(onnx_files["vae"]).spec
    plan = tmp_path / "x.plan"
    plan.write_bytes(b"x")
    with pytest.raises(ArtifactError, match="no sidecar beside it"):
        Engine(plan, backend="null")
    sidecar_path(plan).write_text(json.dumps({"spec": spec.to_dict()}))
    assert Engine(plan, backend="null").spec == spec
    sidecar_path(plan).write_text("{}")
    with pytest.raises(ArtifactError, match="lacks the key 'spec'"):
        Engine(plan, backend="null")


def test_a_spec_alone_opens_with_null(tmp_path: Path, onnx_files: dict[str, Path]) -> None:
    spec = Engine(onnx_files["dcgan-classes"]).spec
    path = tmp_path / "dcgan.json"
    path.write_text(spec.to_json())
    engine = Engine(path)
    assert engine.backend == "null"
    images = engine.generate(40, labels=[0, 3] * 20)
    assert images.shape == (40, 32, 32, 3)
    assert (images[0, :, :, 0] == 32).all()
    assert (images[1, :, :, 0] == 223).all()
