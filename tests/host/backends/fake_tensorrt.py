"""A library with TensorRT's Python API that computes y = 2 x on memory, when its stream gets there.

A plan is a JSON text of its tensors and profile. Refused calls give None or False, as TensorRT's
do, and what may be called only once or in one order is checked.
"""

from __future__ import annotations

import ctypes
import enum
import json
import math
from types import SimpleNamespace
from typing import Any

from tests.host.backends.late_device import LateDevice

VERSION = "11.4.0.106"
_C_TYPES: dict[str, Any] = {
    "FLOAT": ctypes.c_float,
    "INT64": ctypes.c_int64,
    "UINT8": ctypes.c_uint8,
}


class Mode(enum.Enum):
    INPUT = 0
    OUTPUT = 1


def plan_bytes(tensors: list[tuple[str, str, str, tuple[int, ...]]], low: int, high: int) -> bytes:
    """tensors: name, mode, type, shape; the best batch is twice the smallest."""
    return json.dumps({"tensors": tensors, "profile": [low, 2 * low, high]}).encode()


class FakeContext:
    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self.calls = engine.library.calls
        self.batch: int | None = None
        self.addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self.calls.append(f"shape {name}")
        assert not self.addresses, "a shape was set after an address"
        assert shape[1:] == self._engine.get_tensor_shape(name)[1:]
        if -1 not in self._engine.get_tensor_shape(name):
            return shape == self._engine.get_tensor_shape(name)
        low, _, high = self._engine.profile
        self.batch = shape[0] if low <= shape[0] <= high else None
        return self.batch is not None

    def infer_shapes(self) -> list[str]:
        free = any(-1 in shape for *_, shape in self._engine.tensors)
        return ["z"] if free and not self.batch else []

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        shape = self._engine.get_tensor_shape(name)
        if -1 not in shape:
            return shape
        assert self.batch is not None, "a shape was asked for before it was set"
        return (self.batch, *shape[1:])

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.calls.append(f"address {name}")
        assert name not in self.addresses
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        library = self._engine.library
        recording = library.device.recording is not None
        self.calls.append("captured" if recording else "executed")
        if not library.runs or (recording and library.refuses_capture):
            library.logger.log(library.ILogger.Severity.ERROR, "enqueue said no\nat length")
            return False
        streams = {stream.cuda_stream: stream for stream in (library.device.compute,)}
        assert set(self.addresses) == {name for name, *_ in self._engine.tensors}
        streams[stream_handle].put(self._compute)
        return True

    def _compute(self) -> None:
        names = [name for name, *_ in self._engine.tensors]
        source = next(n for n in names if self._engine.get_tensor_mode(n) == Mode.INPUT)
        x = list(self._memory(source))
        for name in names:
            if self._engine.get_tensor_mode(name) == Mode.OUTPUT:
                y = self._memory(name)
                if name == "logvar":
                    y[:] = [0.0] * len(y)
                elif self._engine.kind(name) == "UINT8":
                    y[:] = [int(abs(10 * value)) % 256 for value in x[: len(y)]]
                else:
                    y[:] = [2 * value for value in x[: len(y)]]

    def _memory(self, name: str) -> Any:
        count = math.prod(self.get_tensor_shape(name))
        kind = _C_TYPES[self._engine.kind(name)]
        return (kind * count).from_address(self.addresses[name])


class FakeEngine:
    def __init__(self, library: FakeTensorRT, values: Any) -> None:
        self.library = library
        self.tensors = values["tensors"]
        self.profile = values["profile"]
        self.num_io_tensors = len(self.tensors)

    def create_runtime_config(self) -> SimpleNamespace:
        return SimpleNamespace(
            create_runtime_cache=self.library.runtime_cache,
            set_runtime_cache=lambda _: True,
        )

    def create_execution_context(self, config: Any = None) -> FakeContext | None:
        self.library.config = config
        return FakeContext(self) if self.library.has_contexts else None

    def get_tensor_name(self, index: int) -> str:
        return str(self.tensors[index][0])

    def _find(self, name: str) -> Any:
        return next(tensor for tensor in self.tensors if tensor[0] == name)

    def get_tensor_mode(self, name: str) -> Mode:
        return Mode[self._find(name)[1].upper()]

    def get_tensor_location(self, name: str) -> str:
        return "host" if name == "sizes" else "device"

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._find(name)[3])

    def kind(self, name: str) -> str:
        return str(self._find(name)[2])

    def get_tensor_dtype(self, name: str) -> Any:
        return SimpleNamespace(name=self.kind(name))

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        assert profile == 0
        sizes = (1, 1, 1) if name == "alone" else self.profile
        return [(size, *self.get_tensor_shape(name)[1:]) for size in sizes]


class FakeTensorRT:
    """The module; RTX has some names more. What it does next is set by its attributes."""

    TensorIOMode = Mode
    TensorLocation = SimpleNamespace(HOST="host", DEVICE="device")
    __version__ = VERSION

    def __init__(self, device: LateDevice, rtx: bool) -> None:
        self.device = device
        self.calls: list[str] = []
        self.runs = True
        self.has_contexts = True
        self.refuses_capture = False
        self.validity: tuple[str, int] = ("VALID", 0)
        self.config: Any = None
        self.caches: list[Any] = []
        self.logger: Any = None
        if rtx:
            self.CudaGraphStrategy = SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole")
            self.DynamicShapesKernelSpecializationStrategy = SimpleNamespace(EAGER="eager")
            self.EngineValidity = SimpleNamespace(INVALID="INVALID")
            members = {"VERSION_MISMATCH": SimpleNamespace(value=1)}
            members["UNSUPPORTED_CC"] = SimpleNamespace(value=2)
            self.EngineInvalidityDiagnostics = SimpleNamespace(__members__=members)

    class ILogger:
        class Severity(enum.IntEnum):
            INTERNAL_ERROR = 0
            ERROR = 1
            WARNING = 2
            INFO = 3

    def Runtime(self, logger: Any) -> Any:  # noqa: N802, the library's own name
        self.logger = logger
        runtime = SimpleNamespace(deserialize_cuda_engine=self._deserialize)
        if hasattr(self, "EngineValidity"):
            runtime.get_engine_validity = lambda _: self.validity
        return runtime

    def _deserialize(self, data: bytes) -> FakeEngine | None:
        try:
            return FakeEngine(self, json.loads(data))
        except ValueError:
            self.logger.log(self.ILogger.Severity.ERROR, "magic tag does not match")
            return None

    def runtime_cache(self) -> Any:
        cache = SimpleNamespace(given=None, serialize=lambda: b"compiled kernels")

        def deserialize(data: bytes) -> bool:
            cache.given = data
            return True

        cache.deserialize = deserialize
        self.caches.append(cache)
        return cache
