"""A network's work as one CUDA graph: replayed, it costs one launch.

A graph freezes shapes and addresses, and those are fixed here: one for each entry point and form of
output, at the engine's batch size.
"""

from __future__ import annotations

from engine.backends._cuda_device import Device, Work
from engine.core.errors import EngineError


class Graphed:
    """`work` captured on the compute stream, and replayed by each call.

    It runs once before: libraries allocate and choose then, which they may not during a capture.
    What cannot be captured is launched each time, and `notes` says why.
    """

    def __init__(self, device: Device, work: Work, notes: list[str]) -> None:
        self._device = device
        self._work = work
        self._replay: Work | None = None
        # Buffers that `work` uses may have been made on other streams.
        device.synchronize()
        work()
        device.compute.synchronize()
        try:
            self._replay = device.captured(work)
        except (RuntimeError, EngineError) as error:
            # What lacks memory is told as such; torch's class for it derives from this one.
            if type(error).__name__ == "OutOfMemoryError":
                raise
            reason = str(error).strip().splitlines()[0]
            notes.append(f"without a CUDA graph, which could not be captured: {reason}")

    def __call__(self) -> None:
        """Put it on the compute stream."""
        if self._replay is None:
            self._work()
        else:
            self._device.on(self._device.compute, self._replay)
