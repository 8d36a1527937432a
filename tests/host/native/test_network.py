"""The network itself: arguments, order of work, micro-batches, and what it refuses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kernels.geometry import Geometry
from kernels.native import library
from kernels.native.network import Form, Item, Network, Space, Value, geometry_integers

if library.unavailable():
    pytest.skip(str(library.unavailable()), allow_module_level=True)

SOURCE = Value(Form.PLAIN, Space.INPUT, 0, 5, 3)
LANES = Value(Form.LANES, Space.ARENA, 0, 5, 3)
RESULT = Value(Form.PLAIN, Space.OUTPUT, 0, 5, 3)


def there_and_back(**options: Any) -> Network:
    network = Network(32, LANES.bytes(32), **options)
    network.add("convert", [SOURCE], [LANES], integers=[1])
    network.add("convert", [LANES], [RESULT], integers=[1])
    return network


def numbers(images: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).standard_normal((images, 5, 3)).astype(np.float32)


@pytest.mark.parametrize("images", [0, 1, 31, 32, 33, 100])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("team", [False, True])
def test_all_images_go_through(images: int, threads: int, team: bool) -> None:
    with there_and_back(threads=threads, team=team) as network:
        x = numbers(images)
        y = np.full_like(x, np.nan)
        for _ in range(3):
            assert network.run(images, [x], [y]).all()
        assert np.array_equal(x, y)


@pytest.mark.parametrize(
    ("images", "threads", "calls"),
    [
        # One micro-batch, or less than one each: shared.
        (5, 2, [2]),
        (32, 3, [3]),
        # One each, and nearly so: whole micro-batches.
        (64, 2, [2]),
        (60, 2, [2]),
        # Some are left.
        (100, 2, [2, 2]),
        (100, 1, [1]),
    ],
)
def test_workers_share_what_is_left(images: int, threads: int, calls: list[int]) -> None:
    called: list[int] = []

    def parallel(tasks: int, task: Callable[[int], None]) -> None:
        called.append(tasks)
        for i in range(tasks):
            task(i)

    with there_and_back(threads=threads, parallel=parallel) as network:
        x = numbers(images)
        x[-1, 1, 2] = np.inf
        y = np.full_like(x, np.nan)
        finite = network.run(images, [x], [y])
        assert np.flatnonzero(~finite).tolist() == [images - 1]
        assert np.array_equal(x, y)
    assert called == calls


def test_images_that_are_not_finite_are_told() -> None:
    with there_and_back() as network:
        x = numbers(70)
        x[40, 1, 2] = np.nan
        x[69, 4, 0] = -np.inf
        finite = network.run(70, [x], [np.empty_like(x)])
        assert np.flatnonzero(~finite).tolist() == [40, 69]


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 5, 3)), "float64"),
        (np.zeros((4, 5, 2), np.float32), r"\[4, 5, 2\]"),
        (np.zeros((4, 3, 5), np.float32).transpose(0, 2, 1), "contiguous"),
    ],
    ids=["type", "size", "strides"],
)
def test_an_array_that_was_not_described_is_refused(array: Any, message: str) -> None:
    with there_and_back() as network, pytest.raises(ValueError, match=message):
        network.run(4, [array], [np.empty((4, 5, 3), np.float32)])


def test_a_missing_argument_is_refused() -> None:
    with there_and_back() as network, pytest.raises(ValueError, match="output 0 is missing"):
        network.run(4, [numbers(4)], [])


@pytest.mark.parametrize(
    "item", [Item(2, 0, 1), Item(-1, 0, 1), Item(0, 0, 2), Item(0, 1, 0), Item(0, -1, 1)], ids=str
)
def test_an_order_of_rows_that_are_not_there_is_refused(item: Item) -> None:
    with there_and_back() as network, pytest.raises(ValueError, match="item 0"):
        network.schedule([item])


def test_an_unknown_kind_is_refused() -> None:
    with there_and_back() as network, pytest.raises(ValueError, match="no such kind"):
        network.add("fold", [SOURCE], [LANES], name="node_7")


def test_a_network_that_has_run_does_not_grow() -> None:
    with there_and_back() as network:
        x = numbers(1)
        network.run(1, [x], [np.empty_like(x)])
        with pytest.raises(ValueError, match="has run"):
            network.add("convert", [SOURCE], [LANES], integers=[1])


def test_a_closed_network_says_so() -> None:
    network = there_and_back()
    network.close()
    network.close()
    with pytest.raises(ValueError, match="closed"):
        network.run(1, [numbers(1)], [numbers(1)])


def test_a_network_may_be_closed_while_another_thread_runs_it() -> None:
    for _ in range(20):
        network = there_and_back(threads=2)
        x = numbers(4000)
        found: list[object] = []

        def run(network: Network = network, x: Any = x, found: list[object] = found) -> None:
            y = np.full_like(x, np.nan)
            try:
                while True:
                    network.run(len(x), [x], [y])
                    found.append(np.array_equal(y, x))
            except ValueError as error:
                found.append(str(error))

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        while not found:
            time.sleep(0.001)
        network.close()
        for thread in threads:
            thread.join()
        assert found.count("the network is closed") == 2
        assert found.count(True) == len(found) - 2


def test_a_closed_network_is_freed_with_its_last_run() -> None:
    network = there_and_back()
    handle, freed = network._handle, []
    real, address = handle._library, handle.address
    handle._library = SimpleNamespace(gk_free=lambda old: freed.append(old) or real.gk_free(old))
    del handle

    def close(address: int) -> list[int]:
        network.close()
        return list(freed)

    assert network._call(close) == []
    assert freed == [address]


def test_an_output_that_is_read_only_is_refused() -> None:
    with there_and_back() as network:
        y = np.zeros((4, 5, 3), np.float32)
        y.flags.writeable = False
        with pytest.raises(ValueError, match="output 0 is read-only"):
            network.run(4, [y], [y])
        assert not y.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"threads": -1}, "threads"), ({"instruction_set": "mmx"}, "mmx.*portable")],
    ids=["threads", "set"],
)
def test_bad_options_are_refused(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        there_and_back(**options)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Value(Form.LANES, Space.ARENA, 64, 5, 3), "within the arena"),
        (Value(Form.LANES, Space.ARENA, -64, 5, 3), "lies nowhere"),
        (Value(Form.LANES, Space.ARENA, 1 << 40, 5, 3), "within the arena"),
        (Value(Form.LANES, Space.ARENA, 0, 1 << 39, 1 << 39), "too large"),
        (Value(Form.LANES, Space.ARENA, 0, -5, 3), "no such size"),
        (Value(Form.LANES, Space.OUTPUT, 0, 5, 3), "arena only"),
        (Value(Form.PLAIN, Space.INPUT, 0, 5, 3), "writes to an input"),
    ],
    ids=["beyond", "before", "far-beyond", "overflow", "negative", "lanes-outside", "input"],
)
def test_a_value_that_lies_nowhere_is_refused(value: Value, message: str) -> None:
    with (
        Network(32, LANES.bytes(32)) as network,
        pytest.raises(ValueError, match=message),
    ):
        network.add("convert", [SOURCE], [value], integers=[1])


def test_lanes_between_vectors_are_refused() -> None:
    with (
        Network(32, LANES.bytes(32) + 64) as network,
        pytest.raises(ValueError, match="multiple of 64"),
    ):
        network.add("convert", [SOURCE], [Value(Form.LANES, Space.ARENA, 4, 5, 3)], integers=[1])


def test_an_input_of_two_sizes_is_refused() -> None:
    other = Value(Form.PLAIN, Space.INPUT, 0, 5, 2)
    lanes = Value(Form.LANES, Space.ARENA, 0, 5, 2)
    with there_and_back() as network, pytest.raises(ValueError, match="input 0 is described"):
        network.add("convert", [other], [lanes], integers=[1])


def test_the_order_of_a_network_that_has_run_stays() -> None:
    with there_and_back() as network:
        x = numbers(1)
        network.run(1, [x], [np.empty_like(x)])
        with pytest.raises(ValueError, match="has run"):
            network.schedule([Item(0, 0, 1)])


def test_taps_that_reach_beyond_int_are_refused() -> None:
    far = Geometry("forward", (10,), (10,), (3,), (1,), (0,), (2**31 - 1,))
    line = Value(Form.LANES, Space.ARENA, 0, 10, 1)
    with Network(16, 2 * line.bytes(16)) as network, pytest.raises(ValueError, match="too far"):
        network.add(
            "lanes_convolution",
            [line],
            [Value(Form.LANES, Space.ARENA, line.bytes(16), 10, 1)],
            integers=[*geometry_integers(far), 1, 1, 1, 0, 0],
            numbers=[0.0],
            arrays=[np.ones(3, np.float32), None],
        )
