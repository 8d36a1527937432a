"""The PyTorch modules themselves: the reference of all other backends in fp32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from engine.backends.base import (
    ENCODER_INPUT,
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

if TYPE_CHECKING:
    import torch


class EagerBackend(Backend):
    """Checkpoints, and ONNX files of ours, as torch modules in eval mode.

    `threads` sets torch's thread count, which is one number for the whole process.
    """

    name = "eager"
    capabilities = Capabilities(
        artifacts=("checkpoint", "onnx"),
        devices=("cpu", "cuda", "mps"),
        precisions=("fp32", "bf16", "fp16"),
    )

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        import torch

        from engine.models.load import load_generator

        self.device = choose_option("device", options.device, _devices(), self.name)
        precisions = ("fp32", "bf16") if self.device == "cpu" else ("fp32", "bf16", "fp16")
        self.precision = choose_option("precision", options.precision, precisions, self.name)
        if options.threads is not None:
            torch.set_num_threads(options.threads)
        loaded = load_generator(artifact.path, artifact.options)
        self.spec = loaded.spec
        self.notes = loaded.assumptions
        self.batch_size = options.batch_size or (32 if self.device == "cpu" else 256)
        dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
        self._dtype = dtypes[self.precision]
        self._modules = {
            name: prepare(module, self.device, self._dtype)
            for name, module in loaded.entry_points.items()
        }

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
        """Load a checkpoint, or the weights of an ONNX file of ours."""
        return cls(artifact, options)

    def run(self, entry_point: str, inputs: Inputs) -> Batch:
        """One batch; outputs are float32 torch tensors on the device."""
        import torch

        arrays = [inputs[name] for name in self._order(entry_point)]
        tensors = [self._to_device(torch.from_numpy(array)) for array in arrays]
        # TF32 in cuDNN is on by default and would cost the agreement in fp32.
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            result = self._modules[entry_point](*tensors)
        if entry_point == "encoder":
            mean, logvar = result
            return Batch({"mean": mean.float(), "logvar": logvar.float()})
        made = result if isinstance(result, (tuple, list)) else (result,)
        names = (self.spec.output.name, *(item.name for item in self.spec.further))
        return Batch({name: value.float() for name, value in zip(names, made, strict=True)})

    def _order(self, entry_point: str) -> list[str]:
        """Names of the inputs in the order in which modules take them."""
        spec = self.spec
        first = spec.latent.name if entry_point == "decoder" else ENCODER_INPUT
        condition = [] if spec.condition is None else [spec.condition.name]
        noise = [item.name for item in spec.noise] if entry_point == "decoder" else []
        return [first, *condition, *noise]

    def close(self) -> None:
        """Drop the modules."""
        self._modules.clear()

    def _to_device(self, tensor: torch.Tensor) -> torch.Tensor:
        dtype = self._dtype if tensor.is_floating_point() else tensor.dtype
        return tensor.to(device=self.device, dtype=dtype)


def prepare(module: torch.nn.Module, device: str, dtype: torch.dtype) -> torch.nn.Module:
    """A module as this backend runs it."""
    import torch

    module = module.eval().to(device=device, dtype=dtype)
    # Channels last is what oneDNN's and cuDNN's transposed convolutions are fastest in. Other
    # tensors of a stranger may be viewed in other shapes, or have more axes than it is for.
    for part in module.modules():
        if isinstance(part, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def _devices() -> tuple[str, ...]:
    """Usable devices, best first."""
    import torch

    if torch.cuda.is_available():
        return ("cuda", "cpu")
    if torch.backends.mps.is_available():
        return ("mps", "cpu")
    return ("cpu",)
