"""A device on the CPU whose streams run as late as they may, or at random, or at once.

Work that is put on a stream lies there until an event or a stream is waited for, and then only so
much of it is run as that asks for. So a wait that is missing shows as wrong numbers: buffers begin
as NaN or nonsense, and are overwritten by whoever is too early.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from threading import Lock, RLock
from typing import Any

import torch

Work = Callable[[], object]


class LateStream:
    def __init__(self, device: LateDevice, handle: int) -> None:
        self.cuda_stream = handle
        self.waiting: deque[Work] = deque()
        self.put_in_all = 0
        self.done = 0
        self._device = device

    def put(self, work: Work) -> None:
        if self._device.recording is not None:
            assert self is self._device.compute
            self._device.recording.append(work)
            return
        self.waiting.append(work)
        self.put_in_all += 1
        self._device.progress()

    def run_until(self, count: int) -> None:
        assert self._device.recording is None, "the host waits during a capture"
        # As a stream does its work in order, whoever waits for it.
        with self._device.running:
            while self.done < count:
                work = self.waiting.popleft()
                self.done += 1
                work()

    def wait_event(self, event: LateEvent) -> None:
        if event.mark is not None:
            stream, count = event.mark
            self.put(lambda: stream.run_until(count))

    def synchronize(self) -> None:
        self.run_until(self.put_in_all)


class LateEvent:
    mark: tuple[LateStream, int] | None = None

    def record(self, stream: LateStream) -> None:
        self.mark = (stream, stream.put_in_all)

    def synchronize(self) -> None:
        if self.mark is not None:
            stream, count = self.mark
            stream.run_until(count)


class LateDevice:
    """eager: how likely waiting work runs by itself after each call; 0 is never."""

    kind = "cpu"
    index = 0

    def __init__(self, eager: float = 0.0, seed: int = 0) -> None:
        self.recording: list[Work] | None = None
        self.captures = 0
        self.captures_fail = False
        self.made: list[torch.Tensor] = []
        self.compute: Any = LateStream(self, 77)
        self.copies: Any = LateStream(self, 78)
        self.lock = Lock()
        self.running = RLock()
        self._eager = eager
        self._random = random.Random(seed)

    def buffer(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        tensor = torch.full(shape, float("nan") if dtype.is_floating_point else 1, dtype=dtype)
        self.made.append(tensor)
        return tensor

    def pinned(self, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        return self.buffer(shape, dtype)

    def event(self) -> LateEvent:
        return LateEvent()

    def on(self, stream: LateStream, work: Work) -> None:
        stream.put(work)

    def captured(self, work: Work) -> Work:
        if self.captures_fail:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")
        assert not self.compute.waiting, "captured before what ran first has ended"
        self.recording = []
        try:
            work()
        finally:
            recorded, self.recording = self.recording, None
        self.captures += 1

        def replay() -> None:
            for step in recorded:
                step()

        return replay

    def handed_over(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.clone()

    def synchronize(self) -> None:
        for stream in (self.compute, self.copies):
            stream.synchronize()

    def progress(self) -> None:
        with self.running:
            for stream in (self.compute, self.copies):
                while stream.waiting and self._random.random() < self._eager:
                    stream.run_until(stream.done + 1)
