"""What a contestant is: a way to do a piece of work, at the batch size that suits it best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from benchmarks.network import Array, Work
from benchmarks.results import Role


def _nothing() -> None:
    """Closing what needs no closing."""


@dataclass(frozen=True)
class Entry:
    """A contestant that is ready: `run` does the whole work once; `settings` says in words how.

    `run` itself keeps alive what a runtime was given by address.
    """

    settings: str
    run: Callable[[], Array]
    close: Callable[[], None] = _nothing


class Competitor(Protocol):
    """One contestant of a case.

    `slow_to_open` marks those that compile for tens of seconds.
    """

    name: str
    role: Role
    slow_to_open: bool

    def unavailable(self, work: Work) -> str | None:
        """Why it cannot take part here, or None."""
        ...

    def batch_sizes(self, work: Work) -> tuple[int, ...]:
        """Internal batch sizes worth trying; each divides n."""
        ...

    def open(self, work: Work, batch_size: int) -> Entry:
        """Get ready, all of it that can be done ahead of time."""
        ...


@runtime_checkable
class Builder(Protocol):
    """A competitor that makes a file ahead of time, which it then opens."""

    def build(self, work: Work) -> None:
        """Make that file from the network's ONNX file, anew, in the folder of the work."""
        ...


def dividing(n: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """Those of the sizes that divide n, and n itself, rising."""
    return tuple(sorted({size for size in sizes if size < n and n % size == 0} | {n}))
