"""`Engine.generate` in steady state: uint8 images in memory, latents included."""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.cases import Case, cases
from benchmarks.table import Row


@pytest.mark.parametrize("case", list(cases()))
def test_generate(
    case: Case,
    benchmark: BenchmarkFixture,
    record: list[Row],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    reason = case.skip_reason()
    if reason:
        record.append(Row(case, skipped=reason))
        pytest.skip(reason)
    with case.open(tmp_path_factory.getbasetemp()) as engine:
        benchmark.extra_info.update(backend=engine.versions[engine.backend], device=engine.device)
        benchmark.group = f"{case.model} batch {case.batch_size}"
        benchmark(engine.generate, case.n)
        record.append(Row(case, tuple(benchmark.stats.stats.data)))
