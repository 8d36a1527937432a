"""Interleaving, on a clock of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.rounds import LEAST_SECONDS, interleave, repeats, rotated


class Clock:
    """Time passes only in calls."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def work(self, name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            self.calls.append(name)
            self.now += seconds

        return run


def test_rotation_begins_with_another_each_round() -> None:
    assert [rotated("abc", number) for number in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]
    assert rotated([], 3) == []


@pytest.mark.parametrize(
    ("seconds", "count"),
    [(1.0, 1), (LEAST_SECONDS, 1), (LEAST_SECONDS / 2, 2), (LEAST_SECONDS / 10.5, 11)],
)
def test_short_calls_are_repeated_until_a_sample_is_long(seconds: float, count: int) -> None:
    assert repeats(seconds) == count


def test_repeats_of_nothing_are_bounded() -> None:
    assert repeats(0.0) < 10_000_000


def test_rounds_go_over_all_contestants_in_turn() -> None:
    clock = Clock()
    runs = {name: clock.work(name, 0.5) for name in ("a", "b", "c")}
    seconds = interleave(runs, 3, clock=clock, sleep=clock.sleep)
    # Once each for the number of repeats, then the rounds.
    assert "".join(clock.calls) == "abc" + "abc" + "bca" + "cab"
    assert seconds == {name: pytest.approx((0.5, 0.5, 0.5)) for name in runs}


def test_a_short_call_is_warmed_and_its_time_is_that_of_one() -> None:
    clock = Clock()
    short = LEAST_SECONDS / 3.5
    runs = {"short": clock.work("s", short), "long": clock.work("l", 1.0)}
    seconds = interleave(runs, 2, clock=clock, sleep=clock.sleep)
    assert seconds["short"] == pytest.approx((short, short))
    assert seconds["long"] == pytest.approx((1.0, 1.0))
    # Trials, then in each round one untimed and four timed.
    assert clock.calls.count("s") == 5 + 2 * 5
    assert clock.calls.count("l") == 1 + 2


def test_a_call_that_fills_a_sample_is_warmed_too_while_it_is_short() -> None:
    clock = Clock()
    runs = {"w": clock.work("w", 1.5 * LEAST_SECONDS), "c": clock.work("c", 4.5 * LEAST_SECONDS)}
    interleave(runs, 2, clock=clock, sleep=clock.sleep)
    assert clock.calls.count("w") == 5 + 2 * 2
    assert clock.calls.count("c") == 5 + 2


def test_a_first_call_that_was_held_up_does_not_shorten_samples() -> None:
    clock = Clock()
    short, held_up = LEAST_SECONDS / 3.5, [0.1]

    def run() -> None:
        clock.calls.append("s")
        clock.now += short + (held_up.pop() if held_up and len(clock.calls) == 1 else 0.0)

    seconds = interleave({"s": run}, 2, clock=clock, sleep=clock.sleep)
    assert seconds["s"] == pytest.approx((short, short))
    assert clock.calls.count("s") == 5 + 2 * 5


def test_noise_of_a_round_meets_all_alike() -> None:
    clock = Clock()
    slow = {"factor": 1.0}

    def contestant(seconds: float) -> Callable[[], None]:
        def run() -> None:
            clock.now += seconds * slow["factor"]

        return run

    runs = {"fast": contestant(1.0), "slow": contestant(2.0)}
    first = interleave(runs, 1, clock=clock, sleep=clock.sleep)
    slow["factor"] = 3.0
    second = interleave(runs, 1, clock=clock, sleep=clock.sleep)
    ratios = [found["slow"][0] / found["fast"][0] for found in (first, second)]
    assert ratios == pytest.approx([2.0, 2.0])
