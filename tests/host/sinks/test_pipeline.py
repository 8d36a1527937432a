from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest

from engine.sinks import pipeline
from engine.sinks.pipeline import ahead_of, default_threads, overlap


def nothing_runs() -> bool:
    names = {thread.name.split("_")[0] for thread in threading.enumerate()}
    return not names & {"encode", "write"}


@pytest.mark.parametrize("threads", [1, 3], ids=["one thread", "three"])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    delays = random.Random(0)

    def work(item: int) -> int:
        time.sleep(delays.random() * 0.002)
        return -item

    written: list[int] = []
    overlap(range(100), work, written.append, threads)
    assert written == [-item for item in range(100)]
    assert nothing_runs()


def test_the_stages_run_at_the_same_time() -> None:
    # Each waits for the one after it to have begun with an earlier item.
    worked, wrote = threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 0
        assert worked.wait(10)
        yield 1
        assert wrote.wait(10)
        yield 2

    def work(item: int) -> int:
        worked.set()
        return item

    def write(item: int) -> None:
        wrote.set()

    overlap(items(), work, write)


@pytest.mark.parametrize("slow", ["work", "write"])
def test_a_slow_stage_holds_back_the_source(slow: str) -> None:
    made, gate = 0, threading.Event()

    def items() -> Iterator[int]:
        nonlocal made
        while made < 1000:
            made += 1
            yield made

    def wait(item: int) -> int:
        gate.wait()
        return item

    def stay(item: int) -> int:
        return item

    stages = (wait, stay) if slow == "work" else (stay, wait)
    runner = threading.Thread(target=overlap, args=(items(), *stages, 2))
    runner.start()
    deadline_s = time.monotonic() + 10
    while made < 6 and time.monotonic() < deadline_s:
        time.sleep(0.01)
    time.sleep(0.2)
    # Six wait in the queue, one is with the writer, one is about to be handed over.
    assert 6 <= made <= 8
    gate.set()
    runner.join()
    assert made == 1000


class Mishap(Exception):
    pass


@pytest.mark.parametrize("stage", ["make", "work", "write"])
def test_an_error_stops_everything_and_is_raised_as_it_is(stage: str) -> None:
    mishap = Mishap(stage)
    made: list[int] = []

    def fail(item: int, here: str) -> int:
        if here == stage and item == 20:
            raise mishap
        return item

    def items() -> Iterator[int]:
        for item in range(10_000):
            made.append(item)
            yield fail(item, "make")

    written: list[int] = []

    def write(item: int) -> None:
        written.append(fail(item, "write"))

    with pytest.raises(Mishap) as caught:
        overlap(items(), lambda item: fail(item, "work"), write, 2)
    assert caught.value is mishap
    assert written == list(range(len(written)))
    assert len(written) <= 20
    assert len(made) < 100
    assert nothing_runs()


def test_an_interrupt_of_the_source_drops_what_waits() -> None:
    written: list[int] = []

    def items() -> Iterator[int]:
        yield from range(4)
        raise KeyboardInterrupt

    def write(item: int) -> None:
        time.sleep(0.05)
        written.append(item)

    with pytest.raises(KeyboardInterrupt):
        overlap(items(), lambda item: item, write, 1)
    assert len(written) < 4
    assert nothing_runs()


def test_the_writers_error_comes_before_one_that_it_caused() -> None:
    failed = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        failed.wait(10)
        time.sleep(0.05)
        raise RuntimeError("later")

    def write(item: int) -> None:
        failed.set()
        raise Mishap("first")

    with pytest.raises(Mishap, match="first"):
        overlap(items(), lambda item: item, write)


def test_nothing_to_do_is_fine() -> None:
    overlap([], lambda item: item, lambda item: None)
    assert nothing_runs()


def test_more_may_be_under_way_where_items_are_small() -> None:
    assert ahead_of(4 << 20) == 8
    assert ahead_of(0) > 1000
    made, gate = 0, threading.Event()

    def items() -> Iterator[int]:
        nonlocal made
        while made < 30:
            made += 1
            yield made
        gate.set()

    # All thirty fit, so the source is done before the first is written.
    overlap(items(), lambda item: item, lambda item: gate.wait(10), 1, ahead=40)
    assert gate.is_set()


def test_threads_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 1 <= default_threads() <= 16
    monkeypatch.setattr(pipeline, "processors", lambda: 256)
    assert default_threads() == 16
