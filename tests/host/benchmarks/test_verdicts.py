"""Regressions are told from noise, on times made up with the noise of shared machines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.compare import command
from benchmarks.result_files import write
from benchmarks.results import Case, Contestant, Results
from benchmarks.verdicts import Method, compare
from tests.cases.benchmark_results import case, results
from training.commands import run_command

METHOD = Method()


def outcomes(a: Results, b: Results, method: Method = METHOD) -> list[str]:
    return [verdict.outcome for verdict in compare(a, b, method)]


def many(count: int, seed: int, slower: int = 0, by: float = 1.0) -> Results:
    """A run of `count` cases, the first `slower` of them slowed down."""
    return results(
        *(
            case(seed * 1000 + index, ours=by if index < slower else 1.0, name=f"model-{index}")
            for index in range(count)
        )
    )


def test_noise_alone_does_not_alarm() -> None:
    """Of 60 pairs of runs with 12 cases each, at 95 % confidence, 3 may be called by chance."""
    alarms = 0
    for seed in range(60):
        found = outcomes(many(12, 2 * seed), many(12, 2 * seed + 1))
        alarms += found != ["same within noise"] * 12
    assert alarms <= 3


@pytest.mark.parametrize(
    ("cases", "least"), [(1, 54), (12, 40)], ids=["one-case", "one-of-12-cases"]
)
def test_times_longer_by_15_percent_are_found(cases: int, least: int) -> None:
    """Seen in 96 % and 78 % of pairs of runs of 13 rounds; the more cases, the more is asked."""
    hits = 0
    for seed in range(60):
        found = outcomes(many(cases, 2 * seed), many(cases, 2 * seed + 1, slower=1, by=1.15))
        hits += found[0] == "slower"
    assert hits >= least


def test_a_gain_is_found_too() -> None:
    assert outcomes(many(3, 0), many(3, 1, slower=1, by=0.8))[0] == "faster"


@pytest.mark.parametrize("machine", [1 / 3, 3.0], ids=["faster-machine", "slower-machine"])
def test_a_machine_at_another_speed_does_not_matter(machine: float) -> None:
    a, b = results(case(0)), results(case(1, machine=machine))
    assert outcomes(a, b) == ["same within noise"]
    slowed = results(case(1, machine=machine, ours=1.25))
    assert outcomes(a, slowed) == ["slower"]


def test_changes_below_the_threshold_do_not_count() -> None:
    """Three percent is real here, as there is no other noise, and is called only when asked."""
    a = results(steady(1.0))
    b = results(steady(1.03))
    assert outcomes(a, b) == ["same within noise"]
    assert outcomes(a, b, Method(threshold=0.01)) == ["slower"]


def test_a_busy_machine_that_slows_runtimes_unequally_is_no_regression() -> None:
    """Seen on two cores shared by ten: OpenMP's barriers cost 13 times, TBB's queues twice."""
    busy = {"native": 13.0, "eager": 15.0, "compile": 14.0, "onnxruntime": 2.0, "openvino": 1.3}
    a, b = case(0), case(1)
    slowed = tuple(
        replace(one, seconds=tuple(busy[one.name] * value for value in one.seconds))
        for one in b.contestants
    )
    (verdict,) = compare(results(a), results(replace(b, contestants=slowed)), METHOD)
    assert verdict.outcome == "not comparable"
    assert verdict.reason.startswith("the references moved apart: ")
    assert "beside openvino" in verdict.reason


def test_speed_is_that_of_b_over_a() -> None:
    (verdict,) = compare(results(steady(1.0)), results(steady(1.25)), METHOD)
    assert verdict.speed is not None
    estimate, low, high = verdict.speed
    assert low <= estimate <= high
    assert estimate == pytest.approx(0.8, rel=0.02)
    assert set(verdict.references) == {"matmul", "eager", "onnxruntime", "openvino", "compile"}


def test_another_class_of_machine_is_not_compared() -> None:
    a = results(case(0))
    b = replace(a, machine=replace(a.machine, isa=("avx2",)))
    (verdict,) = compare(a, b, METHOD)
    assert verdict.outcome == "not comparable"
    assert "isa avx2 avx512f amx_bf16 and avx2" in verdict.reason


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ((), (case(0),), "missing in A"),
        ((case(0),), (), "missing in B"),
        ((case(0),), (case(0, contestants=(), matmul=None, skipped="no GPU"),), "skipped in B"),
        ((case(0, rounds=3),), (case(1, rounds=3),), "3 and 3 rounds cannot tell"),
        ((case(0, rounds=13),), (case(1, matmul=None, levels={"native": 0.1}),), "nothing ran"),
    ],
    ids=["new-case", "case-gone", "skipped", "few-rounds", "no-reference"],
)
def test_what_cannot_be_compared_says_why(
    before: tuple[Case, ...], after: tuple[Case, ...], reason: str
) -> None:
    (verdict,) = compare(results(*before), results(*after), METHOD)
    assert verdict.outcome == "not comparable"
    assert reason in verdict.reason


def test_a_contestant_that_failed_is_named() -> None:
    good = case(0)
    failed = Contestant("native", "ours", "", not_measured="parity lost")
    bad = replace(good, contestants=(failed, *good.contestants[1:]))
    (verdict,) = compare(results(good), results(bad), METHOD)
    assert (verdict.outcome, verdict.reason) == ("broken", "parity lost")
    (verdict,) = compare(results(bad), results(good), METHOD)
    assert (verdict.outcome, verdict.reason) == (
        "not comparable",
        "not measured in A: parity lost",
    )


def test_peers_of_another_version_or_setting_are_no_references() -> None:
    a, b = results(case(0)), results(case(1))
    newer = replace(b, machine=replace(b.machine, versions=(("torch", "2.14.0"),)))
    (verdict,) = compare(a, newer, METHOD)
    assert verdict.references == ("matmul",)
    ours = (*b.machine.versions, ("generator-engine", "9.9.9"))
    (verdict,) = compare(a, replace(b, machine=replace(b.machine, versions=ours)), METHOD)
    assert len(verdict.references) == 5
    other = b.cases[0]
    eager = replace(other.contestants[1], settings="channels last")
    changed = replace(other, contestants=(other.contestants[0], eager, *other.contestants[2:]))
    (verdict,) = compare(a, results(changed), METHOD)
    assert "eager" not in verdict.references
    assert "openvino" in verdict.references


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "a.json", results(case(0)))
    write(tmp_path / "b.json", results(case(1)))
    write(tmp_path / "slow.json", results(case(1, ours=1.5)))
    assert invoke(tmp_path / "a.json", tmp_path / "b.json") == 0
    assert "1 same within noise" in capsys.readouterr().out
    assert invoke(tmp_path / "a.json", tmp_path / "slow.json") == 1
    assert "slower" in capsys.readouterr().out
    failed = Contestant("native", "ours", "", not_measured="wrong result")
    broken = replace(case(1), contestants=(failed, *case(1).contestants[1:]))
    write(tmp_path / "broken.json", results(broken))
    assert invoke(tmp_path / "a.json", tmp_path / "broken.json") == 1
    assert "1 broken" in capsys.readouterr().out
    (tmp_path / "b.json").write_text("{}")
    assert invoke(tmp_path / "a.json", tmp_path / "b.json") == 2
    assert capsys.readouterr().err.startswith("error: ")


def steady(factor: float) -> Case:
    """A case whose times stray by half a percent only."""
    made = case(0)
    times = [1.0 + 0.001 * (index % 6) for index in range(13)]
    ours = tuple(factor * value * (1.0 + 0.0001 * index) for index, value in enumerate(times))
    contestants = tuple(
        replace(one, seconds=ours if one.name == "native" else tuple(times))
        for one in made.contestants
    )
    assert made.matmul is not None
    return replace(made, contestants=contestants, matmul=replace(made.matmul, seconds=tuple(times)))


def invoke(*arguments: Path) -> int:
    """Exit code of the command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["compare", *map(str, arguments)])
        try:
            run_command(command)
        except SystemExit as left:
            return int(left.code or 0)
    return 0
