"""One deserialised TensorRT plan: its tensors and its batch profile. `_tensorrt_context` runs it.

TensorRT says that it failed by giving None or False; the reasons lie in its logger.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.backends._infer_spec import Tensor
from engine.backends._plan_sidecar import PlanTensor, Profile, dtype_name
from engine.backends._quiet import quiet_stderr
from engine.backends._tensorrt import collecting_logger, errors, import_flavour
from engine.core.errors import ArtifactError, BackendUnavailableError, EngineError

# How onnxruntime spells the types; `infer_spec` reads both.
_ONNX_TYPES = {
    "float32": "tensor(float)",
    "float16": "tensor(float16)",
    "int64": "tensor(int64)",
    "int32": "tensor(int32)",
    "uint8": "tensor(uint8)",
}


class LoadedPlan:
    """An engine of one of the two libraries.

    Raises ArtifactError for a plan that does not load, BackendUnavailableError where the library
    does not start.
    """

    def __init__(self, path: Path, flavour: str) -> None:
        self.path = path
        self.flavour = flavour
        self.trt: Any = import_flavour(flavour)
        self._logger = collecting_logger(flavour)
        # What an earlier plan left there is not about this one.
        self._logger.take()
        with quiet_stderr():
            try:
                self._runtime = self.trt.Runtime(self._logger)
            # The binding's way of saying that the native factory gave null.
            except TypeError as error:
                raise BackendUnavailableError(
                    f"{flavour} does not start: {self.errors()}"
                ) from error
            data = path.read_bytes()
            self._check_validity(data)
            self.engine: Any = self._runtime.deserialize_cuda_engine(data)
        if self.engine is None:
            raise ArtifactError(
                f"{path}: {flavour} {self.trt.__version__} cannot load this plan; it was built "
                f"for another version or GPU, or is damaged: {self.errors()}"
            )
        self.tensors = tuple(map(self._tensor, range(self.engine.num_io_tensors)))
        self.profile = self._profile()

    def of_mode(self, mode: str) -> list[PlanTensor]:
        """The inputs, or the outputs."""
        return [tensor for tensor in self.tensors if tensor.mode == mode]

    def described(self, mode: str) -> list[Tensor]:
        """The inputs or outputs as `infer_spec` wants them, -1 given as 'batch'."""
        return [
            (
                tensor.name,
                _ONNX_TYPES.get(tensor.dtype, tensor.dtype),
                ["batch" if size == -1 else size for size in tensor.shape],
            )
            for tensor in self.of_mode(mode)
        ]

    def errors(self) -> str:
        """What the library logged as errors since this was last asked, on one line."""
        return errors(self._logger)

    def check(self, done: Any, what: str) -> None:
        """Raise EngineError, with the library's reasons, for a call that gave None or False."""
        if done is None or done is False:
            raise EngineError(f"{self.path}: {what}: {self.errors()}")

    def _tensor(self, index: int) -> PlanTensor:
        engine = self.engine
        name = engine.get_tensor_name(index)
        if engine.get_tensor_location(name) == self.trt.TensorLocation.HOST:
            raise ArtifactError(
                f"{self.path}: {name!r} is a shape that lies on the host, which no generator has"
            )
        is_input = engine.get_tensor_mode(name) == self.trt.TensorIOMode.INPUT
        return PlanTensor(
            name,
            "input" if is_input else "output",
            dtype_name(engine.get_tensor_dtype(name).name),
            tuple(engine.get_tensor_shape(name)),
        )

    def _profile(self) -> Profile:
        inputs = self.of_mode("input")
        if not inputs or any(-1 in tensor.shape[1:] or not tensor.shape for tensor in self.tensors):
            raise ArtifactError(
                f"{self.path}: only the batch of a plan's tensors may be open; this one has "
                + ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in self.tensors)
            )
        profiles = {tensor.name: self._profile_of(tensor) for tensor in inputs}
        first, *others = profiles.values()
        if any(other != first for other in others):
            raise ArtifactError(
                f"{self.path}: the inputs take different batches: "
                + ", ".join(f"{name} {sizes}" for name, sizes in profiles.items())
            )
        return first

    def _profile_of(self, tensor: PlanTensor) -> Profile:
        if tensor.alone:
            return Profile(1, 1, 1)
        if tensor.shape[0] != -1:
            return Profile(*(tensor.shape[0],) * 3)
        # A context begins on profile 0, and stays there.
        shapes = self.engine.get_tensor_profile_shape(tensor.name, 0)
        return Profile(*(shape[0] for shape in shapes))

    def _check_validity(self, data: bytes) -> None:
        """TensorRT-RTX says beforehand whether a plan fits this machine; TensorRT does not."""
        if not hasattr(self._runtime, "get_engine_validity"):
            return
        validity, reasons = self._runtime.get_engine_validity(data)
        if validity == self.trt.EngineValidity.INVALID:
            named = [
                name.lower().replace("_", " ")
                for name, member in self.trt.EngineInvalidityDiagnostics.__members__.items()
                if reasons & member.value
            ]
            raise ArtifactError(
                f"{self.path}: this plan cannot run here: {', '.join(named) or self.errors()}"
            )
