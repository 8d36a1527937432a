"""The caller's threads in place of the network's own (gk_parallel)."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.geometry import Geometry
from kernels.native import library
from kernels.native.network import Network
from tests.cases.native_positions import Layer

LAYER = Layer(Geometry.transposed((4, 4), (4, 4), 2, 1), 16, 40)
HEADERS = Path(__file__).parents[3] / "kernels" / "native" / "include"
IMAGES = 23  # of micro-batches of 4

Task = Callable[[int], None]


def result(network: Network, images: int = IMAGES) -> NDArray[np.float32]:
    x = LAYER.inputs(images)
    out = np.full((images, *LAYER.geometry.output_size, LAYER.out_channels), np.nan, np.float32)
    assert network.run(images, [x], [out]).all()
    return out


def in_turn(tasks: int, task: Task) -> None:
    for i in range(tasks):
        task(i)


@pytest.fixture
def expected(best_set: str) -> NDArray[np.float32]:
    with LAYER.build(best_set) as network:
        return result(network)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("team", [False, True])
@pytest.mark.parametrize("lent", [1, 2, 4])
def test_a_python_pool(
    lent: int, team: bool, threads: int, best_set: str, expected: NDArray[np.float32]
) -> None:
    names: set[str] = set()

    def parallel(tasks: int, task: Task) -> None:
        def named(i: int) -> None:
            names.add(threading.current_thread().name)
            task(i)

        list(pool.map(named, range(tasks)))

    with (
        ThreadPoolExecutor(lent, thread_name_prefix="lent") as pool,
        LAYER.build(best_set, threads=threads, team=team, parallel=parallel) as network,
    ):
        for _ in range(5):
            np.testing.assert_array_equal(result(network), expected)
    assert names
    assert all(name.startswith("lent") for name in names)


@pytest.mark.parametrize("team", [False, True])
def test_tasks_one_after_the_other(
    team: bool, best_set: str, expected: NDArray[np.float32]
) -> None:
    with LAYER.build(best_set, threads=3, team=team, parallel=in_turn) as network:
        np.testing.assert_array_equal(result(network), expected)


def test_python_threads_that_lend_each_their_pool(
    best_set: str, expected: NDArray[np.float32]
) -> None:
    wrong: list[int] = []
    with (
        ThreadPoolExecutor(2) as pool,
        LAYER.build(
            best_set, threads=2, parallel=lambda n, task: list(pool.map(task, range(n)))
        ) as network,
    ):

        def work() -> None:
            wrong.append(sum(not np.array_equal(result(network), expected) for _ in range(10)))

        callers = [threading.Thread(target=work) for _ in range(3)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert wrong == [0, 0, 0]


def test_tasks_again_and_tasks_that_there_are_not(
    best_set: str, expected: NDArray[np.float32]
) -> None:
    def parallel(tasks: int, task: Task) -> None:
        for i in (-1, tasks, *range(tasks), *range(tasks), 2**31 - 1):
            task(i)

    with LAYER.build(best_set, threads=2, parallel=parallel) as network:
        np.testing.assert_array_equal(result(network), expected)


def test_one_micro_batch_is_run_by_the_calling_thread(best_set: str) -> None:
    called: list[int] = []
    with LAYER.build(
        best_set, threads=2, team=False, parallel=lambda n, task: called.append(n)
    ) as network:
        assert np.isfinite(result(network, 4)).all()
    assert called == []


def test_tasks_left_undone_are_an_error(best_set: str, expected: NDArray[np.float32]) -> None:
    most = 1

    def parallel(tasks: int, task: Task) -> None:
        in_turn(min(most, tasks), task)

    with LAYER.build(best_set, threads=3, parallel=parallel) as network:
        with pytest.raises(RuntimeError, match="did 1 of 3 tasks"):
            result(network)
        most = 3
        np.testing.assert_array_equal(result(network), expected)


def test_what_the_pool_raises_reaches_the_caller(best_set: str) -> None:
    def parallel(tasks: int, task: Task) -> None:
        raise KeyError("no pool")

    with (
        LAYER.build(best_set, threads=3, parallel=parallel) as network,
        pytest.raises(KeyError, match="no pool"),
    ):
        result(network)


def test_a_c_program(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler")
    program = tmp_path / "borrowed_threads"
    source = Path(__file__).with_name("borrowed_threads.c")
    built_here = library.path().resolve()
    command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-pthread", f"-I{HEADERS}"]
    built = subprocess.run(
        [*command, source, built_here, f"-Wl,-rpath,{built_here.parent}", "-o", program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([program], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
