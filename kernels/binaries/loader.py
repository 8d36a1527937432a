"""Launches through binaries made ahead of time; what they lack is left to Triton, and recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kernels.binaries.container import Contents, Entry, read
from kernels.binaries.driver import Driver
from kernels.binaries.identity import identity, source_digest
from kernels.binaries.tensor_map import encode
from kernels.binaries.values import values
from kernels.launch import Launch

# Gives the stream to launch on, as the driver's handle; 0 is the default stream.
StreamOf = Callable[[], int]


@dataclass(frozen=True)
class _Loaded:
    entry: Entry
    module: Any
    function: Any


def runs_on(binary: int, gpu: int) -> bool:
    """Whether a GPU runs a binary made for another compute capability.

    Within 8.x a binary runs on later ones; from 9.0 on Triton's binaries use what is particular to
    one, and run there only (CUDA C++ Programming Guide, binary compatibility).
    """
    return binary == gpu or (binary // 10 == gpu // 10 == 8 and binary <= gpu)


class Binaries:
    """The kernels of a file on one GPU. `run` is a launcher for `kernels.launch.launching_with`.

    `reasons` says, once each, what was left to Triton's own compiler, and why.
    """

    def __init__(self, contents: Contents, driver: Driver, stream: StreamOf = lambda: 0) -> None:
        self._driver = driver
        self._stream = stream
        self._loaded: dict[str, _Loaded] = {}
        self._scratch: dict[str, tuple[int, int]] = {}
        self._reasons: dict[str, None] = {}
        # Rising, so that the newest binary that the GPU can run is the one that stays.
        self._entries = {
            entry.identity: entry
            for entry in sorted(contents.entries, key=lambda each: each.architecture)
            if runs_on(entry.architecture, driver.architecture)
        }
        if contents.about.get("sources", source_digest()) != source_digest():
            self._entries.clear()
            self._tell(
                "the binaries were made from other kernels than this package has; make them again "
                "with python -m export.kernels"
            )
        elif not self._entries:
            there = ", ".join(f"sm_{each}" for each in contents.architectures) or "no architecture"
            self._tell(
                f"the GPU is sm_{driver.architecture}, the binaries are for {there}: kernels are "
                "compiled when they are first launched"
            )

    @classmethod
    def open(cls, path: str | Path, device: int = 0, stream: StreamOf = lambda: 0) -> Self:
        """Check a file and open it on a GPU.

        Raises ValueError for a damaged file, OSError, and RuntimeError without a usable driver.
        """
        return cls(read(path), Driver(device), stream)

    @property
    def reasons(self) -> tuple[str, ...]:
        """What ran otherwise than through these binaries so far."""
        return tuple(self._reasons)

    def run(self, launch: Launch) -> bool:
        """Launch on the stream, or answer False with the reason recorded.

        Raises ValueError for tensors at addresses that the code cannot take, and RuntimeError if
        the driver refuses the launch itself.
        """
        if not self._entries:
            return False
        name = identity(launch)
        if name not in self._entries:
            self._tell(f"{launch.name}: no binary was made for this shape and type")
            return False
        self._driver.make_current()
        try:
            loaded = self._load(name)
        except RuntimeError as error:
            self._tell(f"{launch.name}: its binary cannot be loaded: {error}")
            del self._entries[name]
            return False
        record = loaded.entry.record
        programs = launch.grid[0] * launch.grid[1] * launch.grid[2]
        arguments = values(
            launch,
            record["descriptors"],
            lambda *described: encode(self._driver.library, *described),
            self._scratch_of(name, record["scratch_bytes"] * programs),
        )
        self._driver.launch(
            loaded.function,
            launch.grid,
            32 * record["num_warps"],
            record["shared_bytes"],
            self._stream(),
            arguments.address,
        )
        return True

    def close(self) -> None:
        """Unload everything; nothing may still be running."""
        self._driver.make_current()
        for loaded in self._loaded.values():
            self._driver.unload(loaded.module)
        for address, _ in self._scratch.values():
            self._driver.free(address)
        self._loaded.clear()
        self._scratch.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _load(self, name: str) -> _Loaded:
        if name not in self._loaded:
            entry = self._entries[name]
            record = entry.record
            module, function = self._driver.load(
                entry.cubin, record["kernel"], record["shared_bytes"]
            )
            self._loaded[name] = _Loaded(entry, module, function)
        return self._loaded[name]

    def _scratch_of(self, name: str, size: int) -> int:
        """Scratch memory of a kernel, kept: a launch before may still be using it."""
        if size == 0:
            return 0
        address, have = self._scratch.get(name, (0, 0))
        if have < size:
            if address:
                self._driver.free(address)
            address = self._driver.allocate(size)
            self._scratch[name] = (address, size)
        return address

    def _tell(self, reason: str) -> None:
        self._reasons[reason] = None
