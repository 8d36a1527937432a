"""A Program on the fused Triton kernels: NVIDIA GPUs, or Triton's interpreter on a CPU.

Every layer is planned and packed when the artifact is opened; buffers, launches and, on a GPU, a
CUDA graph are made once for the batch size. The last layer gives uint8 images itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from engine.backends._cuda import compute_capability, no_gpu_reason
from engine.backends._programs import open_programs
from engine.backends.base import (
    IN_FLIGHT,
    Backend,
    BackendOptions,
    Batch,
    Capabilities,
    Inputs,
    Pending,
    choose_option,
    finished,
    installed_version,
    not_installed,
)
from engine.core.artifacts import Artifact
from engine.program.entry_points import from_program, tensors, to_program

if TYPE_CHECKING:
    from engine.backends._triton.session import Session

# The oldest generation that Triton has tensor-core code for, and that the kernels are tested on.
_OLDEST = 80
_PRECISIONS = ("fp16", "bf16", "fp32")


class TritonBackend(Backend):
    """Programs planned, packed and launched; on a GPU as CUDA graphs."""

    name = "triton"
    capabilities = Capabilities(
        artifacts=("gen", "onnx", "checkpoint"),
        devices=("cuda", "cpu"),
        precisions=_PRECISIONS,
        through_onnx=True,
        fused_uint8=True,
    )

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        from engine.backends._triton.session import Session

        devices = ("cpu",) if interpreted() else ("cuda",)
        self.device = choose_option("device", options.device, devices, self.name)
        self.precision = choose_option("precision", options.precision, _PRECISIONS, self.name)
        opened = open_programs(artifact)
        self.spec = opened.spec
        self._session: Session | None = Session(
            opened, self.device, self.precision, options.batch_size, artifact.path
        )
        self.batch_size = self._session.batch_size
        self.in_flight = IN_FLIGHT if self.device == "cuda" else 0

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """What runs otherwise than through a fused kernel, so far."""
        how = ("Triton's interpreter runs the kernels on the CPU: for tests, very slowly",)
        made = () if self._session is None else self._session.notes
        return (how if interpreted() else ()) + made

    @classmethod
    def unavailable(cls) -> str | None:
        """Missing package, GPU or GPU generation, or none."""
        missing = not_installed("triton", "triton") or not_installed("torch", "triton")
        if missing or interpreted():
            return missing
        no_gpu = no_gpu_reason()
        if no_gpu:
            return f"{no_gpu}; with TRITON_INTERPRET=1 it runs on a CPU, for tests, very slowly"
        capability = compute_capability()
        if capability < _OLDEST:
            return (
                f"the GPU has compute capability {capability / 10:.1f}, the kernels need "
                f"{_OLDEST / 10:.1f}"
            )
        return None

    @classmethod
    def version(cls) -> str:
        """Version of Triton."""
        return installed_version("triton")

    @classmethod
    def open(cls, artifact: Artifact, options: BackendOptions) -> Self:
        """Plan and pack the Programs of a .gen file, or of an ONNX file lowered first."""
        return cls(artifact, options)

    def run(self, entry_point: str, inputs: Inputs) -> Batch:
        """One batch; outputs are float32 torch tensors on the device."""
        import torch

        if self.in_flight:
            return finished(self.begin(entry_point, inputs, images=False, to_host=False))
        network = self._run(entry_point, None, inputs)
        values = {value.name: value for value in network.plan.program.outputs}
        _, wanted = tensors(self.spec, entry_point)
        # Buffers are overwritten by the next batch, so what leaves here is a copy.
        return Batch(
            {
                name: from_program(network.outputs[name], values[name], shape).to(
                    torch.float32, copy=True, memory_format=torch.contiguous_format
                )
                for name, shape in wanted.items()
            }
        )

    def run_images(self, inputs: Inputs) -> Batch:
        """One batch of the decoder as uint8 images, converted in the last layer if that is ours."""
        import torch

        from engine.backends._device_images import to_uint8

        if self.in_flight:
            return finished(self.begin("decoder", inputs, images=True, to_host=False))
        output = self.spec.output
        network = self._run("decoder", output.name, inputs)
        (value,) = (item for item in network.plan.program.outputs if item.name == output.name)
        images = from_program(network.outputs[output.name], value, output.shape)
        images = images.permute(0, 2, 3, 1)
        if network.makes_images:
            finite = network.finite
            images = images.clone(memory_format=torch.contiguous_format)
        else:
            finite = torch.isfinite(images).flatten(1).all(1)
            images = to_uint8(images, output.range)
        return Batch({output.name: images}, np.asarray(finite.cpu()))

    def begin(self, entry_point: str, inputs: Inputs, images: bool, to_host: bool) -> Pending:
        """Put one batch on the GPU."""
        assert self._session is not None
        ring = self._session.ring(entry_point, images)
        wanted = {
            value.name: to_program(inputs[value.name], value)
            for value in self._session.gen.programs[entry_point].inputs
        }
        return ring.begin(wanted, to_host)

    def close(self) -> None:
        """Free buffers, weights and graphs."""
        if self._session is not None:
            self._session.close()
        self._session = None

    def _run(self, entry_point: str, images: str | None, inputs: Inputs) -> Any:
        import torch

        assert self._session is not None
        network = self._session.network(entry_point, images)
        with torch.inference_mode():
            for value in network.plan.program.inputs:
                array = np.ascontiguousarray(to_program(inputs[value.name], value))
                network.inputs[value.name].copy_(torch.from_numpy(array))
            self._session.launch(network)
        return network


def interpreted() -> bool:
    """Whether kernels would run in Triton's interpreter; asked without importing Triton."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "on", "yes", "y")
