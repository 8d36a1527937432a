"""Stages on few samples: who stands in which record; times are not looked at."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from benchmarks.bench import Bench
from benchmarks.cases import PRESETS, StageCase
from benchmarks.network import Work
from benchmarks.results import Case
from benchmarks.stages import cold_process, copying, encoding, to_disk

pytest.importorskip("torch", reason="torch is not installed; pip install '.[torch]'")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; pip install '.[onnx]'")

ROUNDS = 2


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    preset = dataclasses.replace(PRESETS["default"], rounds=ROUNDS)
    return Bench(preset, 1, tmp_path, lambda text: None)


def roles(case: Case) -> dict[str, str]:
    return {one.name: one.role for one in case.contestants}


def test_copy_is_held_against_a_plain_copy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_SAMPLES", 4)
    (case,) = bench.measure(StageCase("dcgan-emoji", ("copy",)))
    assert (case.stage, case.batch) == ("copy", 4)
    assert roles(case) == {
        "engine.images": "ours",
        "torch chain": "peer",
        "torch fused": "peer",
        "memory copy": "yardstick",
    }
    assert all(len(one.seconds) == ROUNDS for one in case.contestants)


def test_encode_has_a_case_for_each_format(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "_SAMPLES", 4)
    found = bench.measure(StageCase("dcgan-emoji", ("encode",)))
    assert [case.name for case in found] == ["dcgan-emoji jpg", "dcgan-emoji png"]
    assert {case.stage for case in found} == {"encode"}
    for case in found:
        assert case.source == "shipped, engine/zoo/dcgan-emoji.json"
        assert roles(case)["engine.sinks"] == "ours"
        assert roles(case)["Pillow"] == "peer"


def test_an_encoder_of_other_pictures_is_refused() -> None:
    import numpy as np

    image = np.random.default_rng(0).integers(0, 255, (1, 8, 8, 3), dtype=np.uint8)
    right = encoding._pillow("PNG")
    assert encoding._wrong(right, image) is None
    assert "wrong result" in str(encoding._wrong(lambda one: right(255 - one), image))
    assert "Error" in str(encoding._wrong(lambda one: b"no picture", image))


def test_sinks_are_held_against_sampling_and_leave_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_SAMPLES", "_FEWER"):
        monkeypatch.setattr(to_disk, name, 8)
    (case,) = bench.measure(StageCase("dcgan-digits", ("sinks",)))
    assert roles(case) == {
        "sampling": "yardstick",
        "npy shards": "ours",
        "jpeg shards": "ours",
        "png shards": "ours",
    }
    assert case.batch == 8
    # The first round warms.
    assert all(len(one.seconds) == ROUNDS for one in case.contestants)
    assert not (bench.folder / "sinks").exists()


def test_processes_that_fail_say_why(tmp_path: Path) -> None:
    work = Work(None, (), "fp32", "uint8", 1, tmp_path)  # type: ignore[arg-type]
    for program, reason in (
        ("import sys", None),
        ("raise ValueError('too cold')", "ValueError: too cold"),
        ("raise SystemExit(3)", "exit code 3"),
    ):
        assert cold_process._failure(program, None, work) == reason
    assert cold_process.start("import sys; print(sys.argv[1])", "given").stdout == "given\n"
