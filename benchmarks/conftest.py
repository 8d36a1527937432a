"""Options of `pytest benchmarks/`, its cases, and the results file at its end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.bench import Bench
from benchmarks.cases import PRESETS, Case, LayerCase, ModelCase, StageCase, cases
from benchmarks.machine import available_cores, describe_machine, describe_run
from benchmarks.measure import WRONG
from benchmarks.result_files import case_json, write
from benchmarks.results import Case as Record
from benchmarks.results import Results
from benchmarks.run import Progress
from benchmarks.summary import summary_lines

_KINDS: dict[str, type] = {
    "model_case": ModelCase,
    "layer_case": LayerCase,
    "stage_case": StageCase,
}
_records: list[Record] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("generator-engine")
    group.addoption(
        "--preset",
        choices=tuple(PRESETS),
        default="default",
        help="default: two models, batch 64, 5 rounds; full: all, 13 rounds, hours",
    )
    group.addoption("--save-results", type=Path, metavar="FILE.json", help="for benchmarks.report")
    group.addoption("--threads", type=int, help="of every contestant; default: all cores")
    group.addoption("--kid", action="store_true", help="judge images by KID too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    preset = PRESETS[metafunc.config.getoption("preset")]
    for name, kind in _KINDS.items():
        if name in metafunc.fixturenames:
            chosen = [case for case in cases(preset) if isinstance(case, kind)]
            metafunc.parametrize(name, chosen, ids=str)


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """The run that all cases belong to; its results are saved when it ends."""
    option = request.config.getoption
    preset, threads = PRESETS[option("preset")], option("threads") or available_cores()
    head = Results(describe_machine(), describe_run(preset, threads), ())
    with tempfile.TemporaryDirectory(prefix="generator-engine-bench-") as folder:
        yield Bench(preset, threads, Path(folder), Progress(), option("kid"))
    if option("save_results"):
        write(option("save_results"), Results(head.machine, head.run, tuple(_records)))


@pytest.fixture
def measured(bench: Bench, benchmark: BenchmarkFixture) -> Callable[[Case], None]:
    """Measures a case in one call of pytest-benchmark; the samples are in its `extra_info`."""

    def measure(case: Case) -> None:
        found: list[Record] = []
        benchmark.group = type(case).__name__
        benchmark.pedantic(lambda: found.extend(bench.measure(case)), rounds=1, iterations=1)
        benchmark.extra_info["cases"] = [case_json(record) for record in found]
        _records.extend(found)
        wrong = [
            f"{one.name}: {one.not_measured}"
            for record in found
            for one in record.contestants
            if one.role == "ours" and (one.not_measured or "").startswith(WRONG)
        ]
        assert not wrong, "; ".join(wrong)
        if all(record.skipped for record in found):
            pytest.skip(str(found[0].skipped))

    return measure


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _records:
        terminalreporter.section("one contestant a line; pytest-benchmark's times are whole cases")
        for line in summary_lines(_records):
            terminalreporter.write_line(line)
