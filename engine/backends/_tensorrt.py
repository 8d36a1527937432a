"""TensorRT and TensorRT-RTX through one door: which are installed, import, messages.

Both packages have the same Python API; only the builder differs in what it needs (TensorRT times
its kernels on a GPU, TensorRT-RTX compiles on the CPU).
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from engine.core.errors import BackendUnavailableError

# Flavour, as written into sidecars, and its module; the one for servers first.
MODULES = {"tensorrt": "tensorrt", "tensorrt-rtx": "tensorrt_rtx"}


def flavours() -> tuple[str, ...]:
    """The flavours installed here, without importing them."""
    return tuple(flavour for flavour, module in MODULES.items() if find_spec(module) is not None)


def import_flavour(flavour: str) -> Any:
    """The module of a flavour. Raises BackendUnavailableError if it cannot be imported."""
    try:
        return import_module(MODULES[flavour])
    except (ImportError, OSError) as error:
        raise BackendUnavailableError(f"{flavour} cannot be imported: {error}") from error


@functools.cache
def collecting_logger(flavour: str) -> Any:
    """The process's one logger of a flavour: it keeps warnings and errors for `errors`.

    Within `everything()` it keeps what the builder tells beside them. TensorRT calls it from
    builder threads, and swallows whatever it raises.
    """
    trt = import_flavour(flavour)

    class CollectingLogger(trt.ILogger):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self._lock = threading.Lock()
            self._lines: list[tuple[bool, str]] = []
            self._least = trt.ILogger.Severity.WARNING

        @contextlib.contextmanager
        def everything(self) -> Iterator[None]:
            self._least = trt.ILogger.Severity.INFO
            try:
                yield
            finally:
                self._least = trt.ILogger.Severity.WARNING

        def log(self, severity: Any, message: str) -> None:
            if severity <= self._least:
                with self._lock:
                    self._lines.append((severity <= trt.ILogger.Severity.ERROR, message))

        def take(self) -> list[tuple[bool, str]]:
            with self._lock:
                lines, self._lines = self._lines, []
            return lines

    return CollectingLogger()


def errors(logger: Any) -> str:
    """The errors logged since the last call, on one line."""
    lines = [text.strip().replace("\n", " ") for is_error, text in logger.take() if is_error]
    return "; ".join(lines) or "it gave no reason"
