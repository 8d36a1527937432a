"""Results survive the way to JSON and back, and what makes no sense is refused."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.result_files import case_json, dumps, read, write
from benchmarks.results import Case, Contestant, ImageCost, Matmul
from engine.core.errors import ArtifactError
from tests.cases.benchmark_results import COST, case, results

SKIPPED = Case(
    "model", "face-dcgan", "made up", 64, "fp16", "uint8", device="cuda", skipped="no GPU"
)
FAILED = Contestant("tensorrt", "peer", "", not_measured="no GPU")


def test_round_trip(tmp_path: Path) -> None:
    exact = replace(COST, psnr_mean_db=math.inf, psnr_worst_db=math.inf)
    full = case(0, rounds=3)
    ours = replace(full.contestants[0], image_cost=exact, peak_bytes=12345, error=1e-6)
    made = results(replace(full, contestants=(ours, FAILED)), SKIPPED)
    path = tmp_path / "r.json"
    write(path, made)
    back = read(path)
    assert back.cases[1] == SKIPPED
    assert back.cases[0].contestants[0].seconds == pytest.approx(ours.seconds, rel=1e-3)
    assert back.cases[0].contestants[0].image_cost == exact
    assert back.machine == made.machine
    write(tmp_path / "again.json", back)
    assert read(tmp_path / "again.json") == back
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_committed_results_stay_small() -> None:
    """13 rounds of five contestants take less than 2.7 kB."""
    assert len(dumps(results(case(0)))) - len(dumps(results())) < 2700


def test_case_as_extra_info_is_plain_json() -> None:
    record = json.loads(json.dumps(case_json(case(0))))
    assert record["contestants"][0]["name"] == "native"
    assert len(record["matmul"]["seconds"]) == 13


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "not a result"),
        ('{"format": "generator-engine benchmarks", "version": 2}', "version 2"),
        ('{"format": "generator-engine benchmarks", "version": 1}', "lacks the field 'machine'"),
    ],
    ids=["cut", "list", "newer", "empty"],
)
def test_unusable_files(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(ArtifactError, match=message):
        read(tmp_path / "r.json")
    with pytest.raises(ArtifactError, match="cannot read"):
        read(tmp_path / "absent.json")


def test_contradictions_are_refused() -> None:
    one = case(0)
    with pytest.raises(ValueError, match="either seconds or not_measured"):
        Contestant("x", "peer", "")
    with pytest.raises(ValueError, match="either seconds or not_measured"):
        Contestant("x", "peer", "", (1.0,), not_measured="why")
    with pytest.raises(ValueError, match="positive and finite"):
        Contestant("x", "peer", "", (1.0, math.nan))
    with pytest.raises(ValueError, match="must be positive"):
        Matmul(0.0, (1.0,))
    with pytest.raises(ValueError, match="kid_change or kid_reason"):
        ImageCost(50.0, 40.0, 0.1)
    with pytest.raises(ValueError, match="either contestants or skipped"):
        replace(one, skipped="no GPU")
    with pytest.raises(ValueError, match="two contestants"):
        replace(one, contestants=one.contestants * 2)
    with pytest.raises(ValueError, match="rounds must be aligned"):
        replace(one, matmul=Matmul(1.0, (1.0,)))
    with pytest.raises(ValueError, match="with stage"):
        replace(one, stage="build")
    with pytest.raises(ValueError, match="two cases"):
        results(one, one)
