"""Making, working on and writing at the same time, in order and in bounded memory.

The calling thread makes the items, a few threads work on them, one thread writes the results in the
order of the items. No more than a fixed number of items is under way: whoever is slowest sets the
pace, and memory does not grow with their number.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from kernels.container import processors

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_THREADS = 16
# Items that may wait for the writer, beyond two for each thread; more where they are small, so that
# a whole batch can be handed over and the next one begun.
_AHEAD = 2
_AHEAD_BYTES = 32 << 20
# A second Ctrl-C may cut off the goodbye; the writer then looks for itself.
_LOOK_EVERY_S = 0.5


def default_threads() -> int:
    """One for each processor that this process may use, 16 at most."""
    return min(_MOST_THREADS, processors())


def ahead_of(item_bytes: int) -> int:
    """How many items of this size may be under way: 32 MB."""
    return _AHEAD_BYTES // max(1, item_bytes)


def overlap(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    write: Callable[[Result], object],
    threads: int | None = None,
    ahead: int = 0,
) -> None:
    """`write(work(item))` of every item, in order; `work` in `threads` threads, `write` in one.

    ahead: how many items may be under way; never fewer than keep the threads busy.
    The first exception of any stage stops the others and is raised as it is. When this returns or
    raises, nothing runs any more.
    """
    threads = threads or default_threads()
    writer = _Writer(write, max(ahead, 2 * threads + _AHEAD))
    pool = ThreadPoolExecutor(threads, thread_name_prefix="encode")
    writer.start()
    try:
        for item in items:
            if writer.failure is not None:
                break
            writer.hand(pool.submit(work, item))
    except BaseException as error:
        writer.stopped.set()
        if writer.failure is not None and isinstance(error, Exception):
            # It was the first.
            raise writer.failure from error
        raise
    finally:
        writer.finish()
        pool.shutdown(cancel_futures=True)
    if writer.failure is not None:
        raise writer.failure


class _Writer(Generic[Result]):
    """A thread that writes results in the order in which their futures were handed to it."""

    def __init__(self, write: Callable[[Result], object], bound: int) -> None:
        self._write = write
        self._handed: queue.Queue[Future[Result] | None] = queue.Queue(bound)
        self._thread = threading.Thread(target=self._run, name="write", daemon=True)
        self.failure: BaseException | None = None
        self.stopped = threading.Event()

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def hand(self, future: Future[Result]) -> None:
        """Wait for a free place."""
        self._handed.put(future)

    def finish(self) -> None:
        """Wait until all that was handed over is written, or dropped after a failure."""
        self._handed.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                future = self._handed.get(timeout=_LOOK_EVERY_S)
            except queue.Empty:
                if self.stopped.is_set():
                    return
                continue
            if future is None:
                return
            # After a failure the queue is emptied, so that nobody waits for a place for ever.
            if self.failure is not None or self.stopped.is_set():
                future.cancel()
                continue
            try:
                self._write(future.result())
            except BaseException as error:
                self.failure = error
