"""All that the backends ask of PyTorch about a GPU: memory, two streams, events, graphs.

The work of a batch is put on `compute` and `copies` through `on`, in the order of the calls; the
host never waits but for events. Tests put a device in its place that runs what lies on a stream as
late as it may, so that a wait that is missing shows as wrong numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Protocol

from engine.core.errors import BackendUnavailableError

Work = Callable[[], object]


class Event(Protocol):
    """A point in a stream's work."""

    def record(self, stream: Any) -> None:
        """Let it be the end of what lies on the stream now."""
        ...

    def synchronize(self) -> None:
        """Wait on the host until it is reached; at once if it was never recorded."""
        ...


class Device(Protocol):
    """What `CudaDevice` is, for those that stand in its place."""

    kind: str
    index: int
    compute: Any
    copies: Any
    lock: Lock

    def buffer(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """An uninitialised tensor on the device, to be written on `compute`."""
        ...

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """An uninitialised tensor on the host that the device copies to and from by itself."""
        ...

    def event(self) -> Event:
        """An event that was not recorded yet."""
        ...

    def on(self, stream: Any, work: Work) -> None:
        """Put on a stream what `work` launches."""
        ...

    def captured(self, work: Work) -> Work:
        """What `work` puts on `compute` as one CUDA graph; the call given back launches it.

        Raises RuntimeError for what cannot be captured.
        """
        ...

    def handed_over(self, tensor: Any) -> Any:
        """A copy that belongs to the caller and is ready for torch's current stream."""
        ...

    def synchronize(self) -> None:
        """Wait for everything on the device."""
        ...


class CudaDevice:
    """The GPU that torch has as its current one; `lock` is held while a batch is put on it.

    Raises BackendUnavailableError where torch has none.
    """

    kind = "cuda"

    def __init__(self) -> None:
        import torch

        if not torch.cuda.is_available():
            raise BackendUnavailableError(
                f"PyTorch {torch.__version__} sees no GPU; install its build for CUDA"
            )
        self._torch = torch
        self.index = torch.cuda.current_device()
        self.compute: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self.copies: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self.lock = Lock()

    def buffer(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Raises torch.OutOfMemoryError."""
        # Of memory that was freed, torch gives a stream only what that stream itself is done with.
        with self._torch.cuda.stream(self.compute):
            return self._torch.empty(shape, dtype=dtype, device=f"{self.kind}:{self.index}")

    def pinned(self, shape: tuple[int, ...], dtype: Any) -> Any:
        """Raises MemoryError."""
        try:
            return self._torch.empty(shape, dtype=dtype, pin_memory=True)
        except RuntimeError as error:
            raise MemoryError(f"pinned memory: {str(error).splitlines()[0]}") from error

    def event(self) -> Event:
        """One whose waiting thread sleeps: those that encode images need the core."""
        made: Event = self._torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        return made

    def on(self, stream: Any, work: Work) -> None:
        """Call `work` with the stream as torch's current one."""
        with self._torch.inference_mode(), self._torch.cuda.stream(stream):
            work()

    def captured(self, work: Work) -> Work:
        """One graph, recorded while other threads may go on using the GPU."""
        graph = self._torch.cuda.CUDAGraph()
        with (
            self._torch.inference_mode(),
            self._torch.cuda.graph(graph, stream=self.compute, capture_error_mode="thread_local"),
        ):
            work()
        return graph.replay

    def handed_over(self, tensor: Any) -> Any:
        """Copied on the current stream, and waited for: its source is overwritten soon."""
        copy = tensor.clone()
        self._torch.cuda.current_stream().synchronize()
        return copy

    def synchronize(self) -> None:
        """Wait for everything on the device."""
        self._torch.cuda.synchronize()
