"""Workers: shared by Python threads, many networks at once, and after fork."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.geometry import Geometry
from kernels.native.network import Network
from tests.cases.native_positions import Layer

if not hasattr(os, "fork"):
    pytest.skip("this system has no fork", allow_module_level=True)

Array = NDArray[np.float32]
LAYER = Layer(Geometry.transposed((4, 4), (4, 4), 2, 1), 16, 40)
_NEW_PROCESS_IDS = 0x20000000  # CLONE_NEWPID
_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
# A child that hangs is ended by then.
_SECONDS = 20
_NOT_ALLOWED = 77
TASKS = Path("/proc/self/task")


def once(network: Network, x: Array) -> Array:
    out = np.full((len(x), *LAYER.geometry.output_size, LAYER.out_channels), np.nan, np.float32)
    assert network.run(len(x), [x], [out]).all()
    return out


def in_child(check: Callable[[], Any]) -> int:
    """The exit code of a forked child that runs `check`: 0 if that returns."""
    with warnings.catch_warnings():
        # From Python 3.12 on: that a process with threads is forked is what is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.alarm(_SECONDS)
            check()
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("team", [True, False], ids=["team", "micro_batches"])
@pytest.mark.parametrize("threads", [1, 2, 4])
def test_python_threads_share_a_network(threads: int, team: bool, best_set: str) -> None:
    inputs = [LAYER.inputs(7) * (i + 1) for i in range(4)]
    with LAYER.build(best_set, threads=threads, team=team) as network:
        expected = [once(network, x) for x in inputs]
        wrong = [0] * len(inputs)

        def work(i: int) -> None:
            for _ in range(30):
                wrong[i] += not np.array_equal(once(network, inputs[i]), expected[i])

        callers = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert not any(wrong)


def test_networks_run_at_once(best_set: str) -> None:
    x = LAYER.inputs(5)
    networks = [LAYER.build(best_set, threads=2) for _ in range(4)]
    results: list[list[Array]] = [[] for _ in networks]

    def work(i: int) -> None:
        results[i] = [once(networks[i], x) for _ in range(20)]

    callers = [threading.Thread(target=work, args=(i,)) for i in range(len(networks))]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for network in networks:
        network.close()
    for result in results:
        assert len(result) == 20
        for out in result:
            np.testing.assert_array_equal(out, results[0][0])


@pytest.mark.skipif(not TASKS.exists(), reason="there is no /proc to list threads")
@pytest.mark.parametrize("team", [True, False], ids=["team", "micro_batches"])
def test_workers_of_all_processors_have_one_each(team: bool, best_set: str) -> None:
    usable = os.sched_getaffinity(0)
    if len(usable) == 1:
        pytest.skip("with one processor there is nothing to share out")

    def workers(threads: int, caller: set[int]) -> list[set[int]]:
        before = set(TASKS.iterdir())
        with LAYER.build(best_set, threads=threads, team=team) as network:
            os.sched_setaffinity(0, caller)
            once(network, LAYER.inputs(64))
            assert os.sched_getaffinity(0) == caller
            new = [int(task.name) for task in set(TASKS.iterdir()) - before]
            return list(map(os.sched_getaffinity, new))

    try:
        # The calling thread has the processor that it is on, and may go where it could before.
        found = workers(len(usable), usable)
        assert [len(each) for each in found] == [1] * (len(usable) - 1)
        taken = set().union(*found)
        assert len(taken) == len(usable) - 1
        assert taken < usable
        # More workers than processors of the caller, or fewer, run where they may.
        one = {min(usable)}
        assert workers(2, one) == [one]
        assert workers(len(usable) + 1, usable) == [usable] * len(usable)
    finally:
        os.sched_setaffinity(0, usable)


@pytest.mark.skipif(not TASKS.exists(), reason="there is no /proc to list threads")
def test_workers_leave_the_processor_that_the_caller_comes_to(best_set: str) -> None:
    usable = os.sched_getaffinity(0)
    if len(usable) == 1:
        pytest.skip("with one processor there is nothing to share out")
    before = set(TASKS.iterdir())
    with LAYER.build(best_set, threads=len(usable), team=True) as network:
        try:
            for caller in sorted(usable):
                # There for now, with the others open again.
                os.sched_setaffinity(0, {caller})
                os.sched_setaffinity(0, usable)
                once(network, LAYER.inputs(64))
                new = [int(task.name) for task in set(TASKS.iterdir()) - before]
                found = list(map(os.sched_getaffinity, new))
                assert len(set().union(*found)) == len(usable) - 1
        finally:
            os.sched_setaffinity(0, usable)


@pytest.mark.parametrize("team", [True, False], ids=["team", "micro_batches"])
@pytest.mark.parametrize("has_run", [False, True], ids=["before_a_run", "after_a_run"])
def test_a_forked_child_runs_on(has_run: bool, team: bool, best_set: str) -> None:
    x = LAYER.inputs(5)
    with LAYER.build(best_set, threads=3, team=team) as other:
        expected = once(other, x)
    with LAYER.build(best_set, threads=3, team=team) as network:
        if has_run:
            once(network, x)

        def check() -> None:
            np.testing.assert_array_equal(once(network, x), expected)
            # A child of the child too, and both can free it.
            assert in_child(lambda: np.testing.assert_array_equal(once(network, x), expected)) == 0
            network.close()

        assert in_child(check) == 0
        np.testing.assert_array_equal(once(network, x), expected)


def test_a_child_frees_a_network_that_it_never_ran(best_set: str) -> None:
    with LAYER.build(best_set, threads=3) as network:
        once(network, LAYER.inputs(2))
        assert in_child(network.close) == 0
        once(network, LAYER.inputs(2))


@pytest.mark.parametrize("team", [True, False], ids=["team", "micro_batches"])
def test_fork_while_other_threads_run(team: bool, best_set: str) -> None:
    # The child finds locks as the parent's threads held them.
    x = LAYER.inputs(9)
    with LAYER.build(best_set, threads=2, team=team) as network:
        expected = once(network, x)
        stop = threading.Event()

        def work() -> None:
            while not stop.is_set():
                once(network, x)

        callers = [threading.Thread(target=work) for _ in range(2)]
        for caller in callers:
            caller.start()
        try:
            codes = [
                in_child(lambda: np.testing.assert_array_equal(once(network, x), expected))
                for _ in range(8)
            ]
        finally:
            stop.set()
            for caller in callers:
                caller.join()
    assert codes == [0] * 8


def test_a_child_with_the_id_of_its_parent(best_set: str) -> None:
    """Each is process 1 of a namespace of its own."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "unshare"):
        pytest.skip("this system has no namespaces of processes")
    x = LAYER.inputs(5)

    def new_ids() -> None:
        # For the children that are forked from now on.
        if libc.unshare(_NEW_PROCESS_IDS) != 0:
            os._exit(_NOT_ALLOWED)

    def end_with_parent() -> None:
        # No alarm ends the first process of a namespace.
        libc.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        assert os.getpid() == 1

    with LAYER.build(best_set, threads=3) as other:
        expected = once(other, x)

    def first() -> None:
        end_with_parent()
        with LAYER.build(best_set, threads=3) as network:
            once(network, x)
            new_ids()

            def second() -> None:
                end_with_parent()
                np.testing.assert_array_equal(once(network, x), expected)

            assert in_child(second) == 0
            np.testing.assert_array_equal(once(network, x), expected)

    def alone() -> None:
        new_ids()
        code = in_child(first)
        os._exit(code if code >= 0 else 1)

    code = in_child(alone)
    if code == _NOT_ALLOWED:
        pytest.skip("this process may not make namespaces of processes")
    assert code == 0
