"""The caller's threads for a native network (gk_parallel)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from kernels.native.library import CParallel

# Calls task(i) once for each i in 0 .. tasks - 1, on any threads; returns when all calls have.
Parallel = Callable[[int, Callable[[int], None]], None]


class Lent:
    """A `Parallel` as the library calls it, or none; and what it raised."""

    def __init__(self, parallel: Parallel | None) -> None:
        failures: dict[int, BaseException] = {}

        def called(_context: int, tasks: int, task: Any, job: int) -> None:
            # On the thread that runs the network. Nothing can be raised through C.
            try:
                if parallel is not None:
                    parallel(tasks, lambda i: task(job, i))
            except BaseException as error:
                failures[threading.get_ident()] = error

        self._failures = failures
        self.callback = CParallel() if parallel is None else CParallel(called)

    def failure(self) -> BaseException | None:
        """What it raised in the run that this thread has just made; the next call gives None."""
        return self._failures.pop(threading.get_ident(), None)
