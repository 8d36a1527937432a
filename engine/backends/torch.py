"""A Program in PyTorch on the CPU: what a .gen file runs on where the native library is missing."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from engine.backends._programs import open_programs
from engine.backends.base import (
    Backend,
    BackendOptions,
    Batch,
    Capabilities,
    Inputs,
    choose_option,
    installed_version,
    not_installed,
)
from engine.core.artifacts import Artifact
from engine.program.entry_points import from_program, tensors, to_program

_BATCH_SIZE = 32


class TorchBackend(Backend):
    """A Program for each entry point, its layers in the forms that oneDNN is fastest in."""

    name = "torch"
    capabilities = Capabilities(
        artifacts=("gen", "onnx", "checkpoint"),
        devices=("cpu",),
        precisions=("fp32", "bf16"),
        through_onnx=True,
        fused_uint8=True,
    )

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        import torch

        from engine.backends._torch.network import Network

        self.device = choose_option("device", options.device, ("cpu",), self.name)
        precisions = self.capabilities.precisions
        self.precision = choose_option("precision", options.precision, precisions, self.name)
        self.batch_size = options.batch_size or _BATCH_SIZE
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        opened = open_programs(artifact)
        self.spec = opened.spec
        self.notes = ()
        dtype = torch.float32 if self.precision == "fp32" else torch.bfloat16
        self._programs = dict(opened.programs)
        self._networks = {name: Network(item, dtype) for name, item in opened.programs.items()}

    @classmethod
    def unavailable(cls) -> str | None:
        """Missing package, or none."""
        return not_installed("torch", "torch")

    @classmethod
    def version(cls) -> str:
        """Version of torch."""
        return installed_version("torch")

    @classmethod
    def open(cls, artifact: Artifact, options: BackendOptions) -> Self:
        """Read a .gen file, or lower an ONNX file."""
        return cls(artifact, options)

    def run(self, entry_point: str, inputs: Inputs) -> Batch:
        """One batch; outputs are float32 torch tensors."""
        made = self._run(entry_point, inputs)
        return Batch({name: value.float().contiguous() for name, value in made.items()})

    def run_images(self, inputs: Inputs) -> Batch:
        """One batch of the decoder as uint8 images, converted channels last."""
        import torch

        name, (low, high) = self.spec.output.name, self.spec.output.range
        values = self._run("decoder", inputs)[name].permute(0, 2, 3, 1).float()
        scale = 255.0 / (high - low)
        finite = torch.isfinite(values.flatten(1)).all(1)
        scaled = values.mul(scale).add_(-low * scale).round_().clamp_(0.0, 255.0)
        return Batch({name: scaled.to(torch.uint8).contiguous()}, finite.numpy())

    def close(self) -> None:
        """Drop the weights."""
        self._programs.clear()
        self._networks.clear()

    def _run(self, entry_point: str, inputs: Inputs) -> dict[str, Any]:
        import torch

        program = self._programs[entry_point]
        feed = {
            value.name: torch.from_numpy(
                np.ascontiguousarray(to_program(inputs[value.name], value))
            )
            for value in program.inputs
        }
        with torch.inference_mode():
            made = self._networks[entry_point].run(feed)
        _, wanted = tensors(self.spec, entry_point)
        values = {value.name: value for value in program.outputs}
        return {
            name: from_program(made[name], values[name], shape) for name, shape in wanted.items()
        }
