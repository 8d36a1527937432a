"""Running a plan: one context, its buffers bound once, its work captured as CUDA graphs.

TensorRT's work is captured here. TensorRT-RTX captures by itself, and is told to compile for the
shapes at hand at once: by default it begins with general kernels and exchanges them while it runs,
and a sample's bits would change with them. What it compiled is kept in the user's cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.backends._cuda_device import Device
from engine.backends._device_graph import Graphed
from engine.backends._device_ring import Network
from engine.backends._quiet import quiet_stderr
from engine.backends._tensorrt_plan import LoadedPlan
from engine.core.cache import cache_folder
from engine.core.errors import ArtifactError, EngineError, OptionError, OutputError
from engine.core.files import sha256, write_bytes

_TORCH_TYPES = (
    "float32",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int8",
    "uint8",
    "bool",
)


class PlanContext:
    """A plan at one batch size: `network` is what fills its outputs from its inputs.

    Shapes and addresses are set once; a warm-up has been run, so that what cannot run is told when
    it is opened. Raises EngineError, ArtifactError, OptionError.
    """

    def __init__(self, plan: LoadedPlan, device: Device, batch: int) -> None:
        self._plan: LoadedPlan | None = plan
        self._device = device
        self._cache: Any = None
        with quiet_stderr():
            self._context: Any = self._create(plan)
        plan.check(self._context, "no execution context")
        inputs = {tensor.name: tensor for tensor in plan.of_mode("input")}
        for name, tensor in inputs.items():
            shape = tensor.shape if tensor.alone else (batch, *tensor.shape[1:])
            if not self._context.set_input_shape(name, shape):
                raise OptionError(
                    f"{plan.path}: {name!r} of shape {shape} lies outside the plan's profile "
                    f"{plan.profile}: {plan.errors()}"
                )
        missing = self._context.infer_shapes()
        if missing:
            raise EngineError(f"{plan.path}: the shapes of {', '.join(missing)} stay open")
        buffers = {
            tensor.name: device.buffer(
                tuple(self._context.get_tensor_shape(tensor.name)),
                _torch_type(plan, tensor.name, tensor.dtype),
            )
            for tensor in plan.tensors
        }
        for name, buffer in buffers.items():
            taken = self._context.set_tensor_address(name, buffer.data_ptr())
            plan.check(taken, f"no address taken for {name!r}")
        self.network = Network(
            {name: buffers[name] for name in inputs},
            {name: buffer for name, buffer in buffers.items() if name not in inputs},
            self._enqueue,
        )
        self._warm_up()

    def graphed(self, network: Network, notes: list[str]) -> Network:
        """A network of this context whose work is one launch; `notes` tells where it is not."""
        if self._cache is not None:
            return network
        launch = Graphed(self._device, network.launch, notes)
        return Network(network.inputs, network.outputs, launch, network.finite)

    def keep_compiled(self, notes: list[str]) -> None:
        """Write what TensorRT-RTX compiled to the user's cache, for the next start."""
        if self._cache is None or self._plan is None:
            return
        file, data = _cache_file(self._plan), bytes(self._cache.serialize())
        if file.is_file() and file.read_bytes() == data:
            return
        try:
            write_bytes(file, data)
        except OutputError as error:
            notes.append(f"compiled kernels are not kept for the next start: {error}")

    def close(self) -> None:
        """Free the context and its buffers; nothing may still be running."""
        self.network = Network({}, {}, self._enqueue)
        self._context = self._cache = self._config = self._plan = None

    def _enqueue(self) -> None:
        if self._plan is None:
            raise EngineError("a plan was run after it was closed")
        done = self._context.execute_async_v3(self._device.compute.cuda_stream)
        self._plan.check(done, "the run failed")

    def _warm_up(self) -> None:
        """Once, on zeros: whatever lies in fresh memory is no class of a model."""
        compute = self._device.compute
        # Fresh memory may still be in use on the stream that it was allocated on.
        self._device.synchronize()
        for tensor in self.network.inputs.values():
            self._device.on(compute, tensor.zero_)
        self._enqueue()
        compute.synchronize()

    def _create(self, plan: LoadedPlan) -> Any:
        trt, engine = plan.trt, plan.engine
        self._config = None
        if not hasattr(trt, "CudaGraphStrategy"):
            return engine.create_execution_context()
        config = engine.create_runtime_config()
        specialised = trt.DynamicShapesKernelSpecializationStrategy.EAGER
        config.dynamic_shapes_kernel_specialization_strategy = specialised
        config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        # Both have to live as long as the context.
        self._config, self._cache = config, config.create_runtime_cache()
        plan.check(self._cache, "no cache for compiled kernels")
        file = _cache_file(plan)
        if file.is_file():
            # Refused, and so not used, if it is damaged or of another GPU, driver or version.
            self._cache.deserialize(file.read_bytes())
        plan.check(config.set_runtime_cache(self._cache), "the cache for kernels was refused")
        return engine.create_execution_context(config)


def _cache_file(plan: LoadedPlan) -> Path:
    name = f"{sha256(plan.path)[:32]}-{plan.trt.__version__}.cache"
    return cache_folder(plan.flavour) / name


def _torch_type(plan: LoadedPlan, name: str, dtype: str) -> Any:
    import torch

    if dtype not in _TORCH_TYPES:
        raise ArtifactError(
            f"{plan.path}: tensor {name!r} has the type {dtype}, which no torch tensor here holds; "
            "build the plan with float inputs"
        )
    return getattr(torch, dtype)
