"""Compile and read many configurations in a few processes, each as soon as it is ready."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

from kernels.inspect.reading import Reading

Architecture = int | str


@dataclass(frozen=True, slots=True)
class Key:
    """One configuration on one architecture."""

    name: str
    architecture: Architecture


@dataclass(frozen=True)
class Outcome:
    """What became of it: a reading (not for AMD), or why it did not compile.

    compile_s is what a fresh compile took of a processor, in seconds, which does not depend on what
    else runs there. columns is the width of a tile, 0
    where the kernel has no product.
    """

    key: Key
    reading: Reading | None
    binary_bytes: int
    compile_s: float
    columns: int = 0
    error: str = ""


def survey_one(key: Key) -> Outcome:
    """Compile and read one configuration. A failure to compile is an outcome, not an exception."""
    from kernels.compile import compile_launch
    from kernels.inspect.catalogue import known
    from kernels.inspect.reading import read

    launch = known(key.name, key.architecture).launch
    start = _processor_seconds()
    try:
        compiled = compile_launch(launch, key.architecture, fresh=True, line_info=False)
    except Exception as error:
        return Outcome(key, None, 0, 0.0, error=f"{type(error).__name__}: {error}")
    seconds = _processor_seconds() - start
    if isinstance(key.architecture, str):
        return Outcome(key, None, len(compiled.asm["hsaco"]), seconds)
    columns = launch.constants.get("BLOCK_N", 0)
    return Outcome(
        key,
        read(compiled),
        len(compiled.asm["cubin"]),
        seconds,
        columns if isinstance(columns, int) else 0,
    )


@contextmanager
def workers(count: int | None = None) -> Iterator[ProcessPoolExecutor]:
    """A pool of `count` processes (all cores by default); what has not begun is dropped at exit."""
    pool = ProcessPoolExecutor(
        count or os.cpu_count() or 1,
        # Forking a process in which torch has threads can hang it.
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_quiet,
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def survey(keys: Iterable[Key], pool: ProcessPoolExecutor) -> Iterator[Outcome]:
    """Outcomes in the order in which they are ready."""
    waiting: list[Future[Outcome]] = [pool.submit(survey_one, key) for key in keys]
    for done in as_completed(waiting):
        yield done.result()


def _processor_seconds() -> float:
    """Time of this process and of those it waited for (ptxas is one)."""
    return sum(os.times()[:4])


def _quiet() -> None:
    import torch

    # Compiling is one thread's work; torch's own would only be in the way.
    torch.set_num_threads(1)
