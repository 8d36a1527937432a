"""One deserialised TensorRT plan: its tensors, its batch profile, and running it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.backends._tensorrt import collecting_logger, errors, import_flavour
from engine.core.errors import ArtifactError, BackendUnavailableError, EngineError, OptionError

# How onnxruntime spells the types; `infer_spec` reads both.
_ONNX_TYPES = {
    "FLOAT": "tensor(float)",
    "HALF": "tensor(float16)",
    "INT64": "tensor(int64)",
    "INT32": "tensor(int32)",
    "UINT8": "tensor(uint8)",
}
_TORCH_TYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "BF16": "bfloat16",
    "INT64": "int64",
    "INT32": "int32",
    "INT8": "int8",
    "UINT8": "uint8",
    "BOOL": "bool",
}


# Where the tensors lie.
_DEVICE = "cuda"


class LoadedPlan:
    """An engine and one execution context on its own CUDA stream; one `run` at a time."""

    def __init__(self, path: Path, flavour: str) -> None:
        import torch

        self._path = path
        self._trt: Any = import_flavour(flavour)
        self._logger = collecting_logger(flavour)
        try:
            self._runtime = self._trt.Runtime(self._logger)
        # The binding's way of saying that the native factory gave null.
        except TypeError as error:
            raise BackendUnavailableError(f"{flavour} does not start: {error}") from error
        data = path.read_bytes()
        self._check_validity(data)
        self._engine = self._runtime.deserialize_cuda_engine(data)
        if self._engine is None:
            raise ArtifactError(
                f"{path}: {flavour} {self._trt.__version__} cannot load this plan; it was built "
                f"for another version or GPU, or is damaged: {errors(self._logger)}"
            )
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise EngineError(f"{path}: no execution context: {errors(self._logger)}")
        self._stream: Any = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._lock = Lock()
        names = [self._engine.get_tensor_name(i) for i in range(self._engine.num_io_tensors)]
        is_input = self._trt.TensorIOMode.INPUT
        self._inputs = [name for name in names if self._engine.get_tensor_mode(name) == is_input]
        self._outputs = [name for name in names if name not in self._inputs]

    def inputs(self) -> list[tuple[str, str, list[Any]]]:
        """Name, type and shape of each input, -1 given as 'batch'."""
        return [self._describe(name) for name in self._inputs]

    def outputs(self) -> list[tuple[str, str, list[Any]]]:
        """Name, type and shape of each output, -1 given as 'batch'."""
        return [self._describe(name) for name in self._outputs]

    def batch_profile(self) -> tuple[int, int, int]:
        """Smallest, best and largest batch size."""
        shape = tuple(self._engine.get_tensor_shape(self._inputs[0]))
        if shape[0] != -1:
            return shape[0], shape[0], shape[0]
        low, best, high = self._engine.get_tensor_profile_shape(self._inputs[0], 0)
        return low[0], best[0], high[0]

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
        """Named arrays in, torch tensors on the device out; they are ready on return."""
        import torch

        with self._lock, torch.cuda.stream(self._stream):
            # Every tensor stays referenced until the stream has been waited for.
            held = {}
            for name in self._inputs:
                held[name] = self._to_device(inputs[name], self._dtype(name))
                if not self._context.set_input_shape(name, tuple(held[name].shape)):
                    raise OptionError(
                        f"{self._path}: {name!r} of shape {tuple(held[name].shape)} lies outside "
                        f"the plan's profile {self.batch_profile()}"
                    )
            missing = self._context.infer_shapes()
            if missing:
                raise EngineError(f"{self._path}: the shapes of {', '.join(missing)} stay open")
            for name in self._outputs:
                shape = tuple(self._context.get_tensor_shape(name))
                held[name] = torch.empty(shape, dtype=self._dtype(name), device=_DEVICE)
            for name, tensor in held.items():
                if not self._context.set_tensor_address(name, tensor.data_ptr()):
                    raise EngineError(f"{self._path}: no address taken: {errors(self._logger)}")
            if not self._context.execute_async_v3(self._stream.cuda_stream):
                raise EngineError(f"{self._path}: the run failed: {errors(self._logger)}")
            self._stream.synchronize()
        return {name: self._public(held[name]) for name in self._outputs}

    def _describe(self, name: str) -> tuple[str, str, list[Any]]:
        kind = self._engine.get_tensor_dtype(name).name
        shape = [
            "batch" if size == -1 else size for size in tuple(self._engine.get_tensor_shape(name))
        ]
        return name, _ONNX_TYPES.get(kind, kind), shape

    def _dtype(self, name: str) -> Any:
        import torch

        kind = self._engine.get_tensor_dtype(name).name
        if kind not in _TORCH_TYPES:
            raise ArtifactError(
                f"{self._path}: tensor {name!r} has the type {kind}, which no "
                f"torch tensor here holds; build the plan with float inputs"
            )
        return getattr(torch, _TORCH_TYPES[kind])

    @staticmethod
    def _to_device(array: NDArray[Any], dtype: Any) -> Any:
        import torch

        return torch.from_numpy(np.ascontiguousarray(array)).to(device=_DEVICE, dtype=dtype)

    @staticmethod
    def _public(tensor: Any) -> Any:
        return tensor.float() if tensor.is_floating_point() else tensor

    def _check_validity(self, data: bytes) -> None:
        """TensorRT-RTX says beforehand whether a plan fits this machine; TensorRT does not."""
        if not hasattr(self._runtime, "get_engine_validity"):
            return
        validity, reasons = self._runtime.get_engine_validity(data)
        if validity == self._trt.EngineValidity.INVALID:
            named = [
                name.lower().replace("_", " ")
                for name, member in self._trt.EngineInvalidityDiagnostics.__members__.items()
                if reasons & member.value
            ]
            raise ArtifactError(
                f"{self._path}: this plan cannot run here: {', '.join(named) or 'no reason given'}"
            )
