"""The rank test against printed tables, brute force and its own confidence."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from benchmarks.rank_test import holm, shift, smallest_p


def test_p_agrees_with_all_arrangements() -> None:
    values = np.array([0.3, 1.1, 1.9, 2.2, 3.4, 4.0, 5.5, 6.1, 7.3])
    chosen = values[[0, 1, 3, 5]], values[[2, 4, 6, 7, 8]]

    def u_of(indices: tuple[int, ...]) -> int:
        first = values[list(indices)]
        rest = np.delete(values, list(indices))
        return int((rest[:, None] > first).sum())

    seen = u_of((0, 1, 3, 5))
    middle = 4 * 5 / 2
    extreme = [
        abs(u_of(indices) - middle) >= abs(seen - middle) for indices in combinations(range(9), 4)
    ]
    assert shift(*chosen).p == pytest.approx(np.mean(extreme))


def test_p_at_the_critical_values_of_the_printed_table() -> None:
    """Two-sided 5 %: U <= 13 is significant for 8 against 8, and 45 for 13 against 13."""
    for size, critical in ((8, 13), (13, 45)):
        for u, significant in ((critical, True), (critical + 1, False)):
            a, b = samples_with(u, size)
            assert (shift(a, b).p <= 0.05) == significant


def test_estimate_and_interval_follow_the_sign_and_scale() -> None:
    generator = np.random.default_rng(0)
    a = generator.normal(0.0, 1.0, 13)
    found = shift(a, a + 2.0)
    assert found.estimate == pytest.approx(2.0, abs=0.3)
    assert found.low < 2.0 < found.high
    back = shift(a + 2.0, a)
    assert (back.estimate, back.low, back.high) == pytest.approx(
        (-found.estimate, -found.high, -found.low)
    )
    assert back.p == found.p


def test_interval_holds_the_true_shift_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        found = shift(generator.normal(size=9), generator.normal(0.5, size=11))
        held += found.low <= 0.5 <= found.high
    # 95 % or a little more; 400 draws stray by 1.1 %.
    assert 0.92 <= held / 400 <= 0.99


def test_too_few_rounds_leave_the_interval_open() -> None:
    found = shift([1.0, 2.0], [3.0, 4.0])
    assert (found.low, found.high) == (-np.inf, np.inf)
    assert found.p == pytest.approx(smallest_p(2, 2)) == pytest.approx(1 / 3)


def test_equal_values_show_no_difference() -> None:
    assert shift([1.0] * 6, [1.0] * 6).p == 1.0


def test_holm_on_its_textbook_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_empty_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="two samples"):
        shift([], [1.0])


def samples_with(u: int, size: int) -> tuple[list[float], list[float]]:
    """Two samples of `size` without ties where b beats a in exactly u pairs."""
    b_first = [1.0 + index for index in range(size)]
    a = [1000.0 + index for index in range(size)]
    left = u
    b = []
    for index, value in enumerate(b_first):
        wins = min(left, size)
        left -= wins
        b.append(1000.0 + wins - 0.5 + index * 1e-3 if wins else value)
    return a, b
