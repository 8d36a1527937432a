"""Targets are judged from the results alone, part by part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.goals import Goal, goals
from benchmarks.result_files import write
from benchmarks.results import Case, Contestant, Results
from benchmarks.targets import command, rows
from engine import zoo
from tests.cases.benchmark_results import case, results
from training.commands import run_command

# Paired ratio to the best peer of the made-up case: 0.33 over 0.10.
FACE = case(0)


def goal(name: str, unit: str = "") -> Goal:
    return next(one for one in goals() if name in one.name and unit in one.unit)


def outcome(name: str, run: Results, unit: str = "") -> str:
    one = goal(name, unit)
    return one.outcome(list(one.parts([run])))


def test_met_missed_and_stretch() -> None:
    face = "face-dcgan n=1024 bf16"
    assert outcome(face, results(FACE), "peer") == "met"
    assert outcome(face, results(case(0, ours=1.3)), "peer") == "missed"
    one = goal(face, "peer")
    assert one.outcome(list(one.parts([results(FACE)])), one.stretch) == "missed"
    assert one.outcome(list(one.parts([results(case(0, ours=0.7))])), one.stretch) == "met"


def test_matmul_rate_counts_useful_work() -> None:
    """181 MFLOP x 1024 in 0.1 s against 17.2 GFLOP in 0.02 s: 2.15 times the rate."""
    one = goal("face-dcgan n=1024 bf16", "matmul")
    (part,) = one.parts([results(FACE)])
    assert part.figure is not None
    assert part.figure.median == pytest.approx(2.15, rel=0.1)


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (results(), "no such case"),
        (results(case(0, rounds=12)), "12 rounds; 13 are needed"),
        (
            replace(results(FACE), machine=replace(results().machine, isa=("avx2",))),
            "no AMX on Synthetic CPU",
        ),
        (results(replace(FACE, contestants=(), matmul=None, skipped="no weights")), "no weights"),
        (
            results(
                replace(
                    FACE,
                    contestants=(
                        FACE.contestants[0],
                        Contestant("eager", "peer", "", not_measured="not installed"),
                    ),
                )
            ),
            "eager: not installed",
        ),
    ],
    ids=["absent", "few-rounds", "no-amx", "skipped", "no-peer"],
)
def test_not_measured_says_why(run: Results, reason: str) -> None:
    one = goal("face-dcgan n=1024 bf16", "peer")
    (part,) = one.parts([run])
    assert part.figure is None
    assert reason in part.reason
    assert one.outcome([part]) == "not measured"


def test_one_short_part_breaks_a_promise_and_a_missing_one_leaves_it_open() -> None:
    models = [
        case(seed, name=name, batch=batch, precision=precision)
        for seed, name in enumerate(zoo.names())
        for batch in (64, 1024)
        for precision in ("fp32", "bf16")
    ]
    name = "shipped convolutional models"
    assert outcome(name, results(*models)) == "met"
    assert outcome(name, results(*models[1:])) == "not measured"
    slow = case(0, ours=3.0, name=models[0].name, batch=64, precision="fp32")
    assert outcome(name, results(slow, *models[2:])) == "missed"


def test_sinks_are_a_share_of_the_sampling_rate() -> None:
    run = results(sinks(npy=1.05, jpeg=3.0))
    assert outcome("npy", run) == "met"
    assert outcome("JPEG", run) == "missed"


def test_cold_start_is_at_most_three_imports() -> None:
    levels = {"native": 0.25, "import numpy": 0.1}
    quick = staged("cold process", levels, yardstick="import numpy")
    every = [replace(quick, name=name) for name in zoo.names()]
    assert outcome("cold process", results(*every)) == "met"
    assert outcome("cold process", results(*every[1:])) == "not measured"
    slow = staged("cold process", {**levels, "native": 0.4}, yardstick="import numpy")
    late = replace(slow, name=zoo.names()[0])
    assert outcome("cold process", results(late, *every[1:])) == "missed"


def test_stream_counts_memory_of_a_million_images() -> None:
    def stream(batch: int, peak: int) -> Case:
        ours = Contestant("native", "ours", "", (100.0,), peak_bytes=peak)
        return replace(
            FACE, kind="stage", stage="stream", batch=batch, contestants=(ours,), matmul=None
        )

    assert outcome("stream", results(stream(1_000_000, 299_000_000))) == "met"
    assert outcome("stream", results(stream(1_000_000, 301_000_000))) == "missed"
    assert outcome("stream", results(stream(1_000, 1_000))) == "not measured"


def test_table_and_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = rows([results(FACE)])
    assert table[1][0] == "face-dcgan n=1024 bf16"
    assert table[1][3:5] == ("49.5 / 41.2", "met")
    assert table[5][2:5] == ("not measured", "-", "not measured")
    assert "12 of 12 not measured: no such case" in table[5][5]
    path = tmp_path / "r.json"
    write(path, results(FACE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["targets", str(path), "--all"])
        run_command(command)
        write(path, results(case(0, ours=2.0)))
        with pytest.raises(SystemExit, match="1"):
            run_command(command)
    assert "missed" in capsys.readouterr().out


def sinks(npy: float, jpeg: float) -> Case:
    """Times of sinks in units of that of sampling."""
    levels = {"native": 0.1, "sampling": 0.1, "npy shards": 0.1 * npy, "jpeg shards": 0.1 * jpeg}
    return staged("sinks", levels, yardstick="sampling")


def staged(stage: str, levels: dict[str, float], yardstick: str) -> Case:
    """A case of a stage where all but the yardstick are ours."""
    made = case(3, levels=levels, kind="stage", stage=stage)
    contestants = tuple(
        replace(one, role="yardstick" if one.name == yardstick else "ours")
        for one in made.contestants
    )
    return replace(made, contestants=contestants)
