"""CTAs per multiprocessor, against figures of NVIDIA's occupancy calculator."""

from __future__ import annotations

import pytest

from kernels.inspect.occupancy import ctas_per_multiprocessor


@pytest.mark.parametrize(
    ("architecture", "registers", "warps", "shared", "columns", "expected"),
    [
        pytest.param(80, 32, 4, 0, 0, 16, id="warps"),
        pytest.param(86, 16, 1, 0, 0, 16, id="ctas of sm_86"),
        pytest.param(90, 16, 1, 0, 0, 32, id="ctas of sm_90"),
        pytest.param(80, 174, 8, 0, 0, 1, id="registers of 8 warps"),
        pytest.param(80, 128, 8, 0, 0, 2, id="registers, exactly"),
        pytest.param(80, 129, 8, 0, 0, 1, id="registers, one more"),
        pytest.param(80, 64, 4, 80 * 1024, 0, 2, id="shared memory with what is reserved"),
        pytest.param(80, 64, 4, 82 * 1024, 0, 1, id="shared memory, too much for two"),
        pytest.param(86, 64, 4, 100 * 1024, 0, 0, id="more than one CTA may have"),
        pytest.param(100, 64, 4, 0, 256, 2, id="tensor memory"),
    ],
)
def test_the_tightest_limit_counts(
    architecture: int, registers: int, warps: int, shared: int, columns: int, expected: int
) -> None:
    assert ctas_per_multiprocessor(architecture, registers, warps, shared, columns) == expected


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(KeyError):
        ctas_per_multiprocessor(70, 32, 4, 0)
