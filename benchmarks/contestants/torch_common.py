"""What all contestants on PyTorch share: modules in a precision and layout, tensors, threads."""

from __future__ import annotations

import copy
import functools
from typing import TYPE_CHECKING

from benchmarks.network import Network, Work, image_scale
from benchmarks.results import Precision
from engine.backends.base import not_installed

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


def torch_missing(work: Work) -> str | None:
    """Why PyTorch cannot do this work, or None."""
    missing = not_installed("torch", "torch")
    if missing or work.device == "cpu":
        return missing
    import torch

    return None if torch.cuda.is_available() else "torch sees no NVIDIA GPU"


def dtype_of(precision: Precision) -> torch.dtype:
    """PyTorch's name of a precision."""
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


@functools.lru_cache(maxsize=4)
def prepared(
    network: Network, precision: Precision, device: str, channels_last: bool = True
) -> nn.Module:
    """A network's module in a precision, its maps channels last where PyTorch has that order."""
    module = copy.deepcopy(network.module()).to(device=device, dtype=dtype_of(precision))
    order = memory_format(len(network.output_shape) + 1) if channels_last else None
    if order is not None:
        module = module.to(memory_format=order)
    return module.eval().requires_grad_(False)


def memory_format(axes: int) -> torch.memory_format | None:
    """The order of channels last for tensors of so many axes, or None: PyTorch has two."""
    import torch

    return {4: torch.channels_last, 5: torch.channels_last_3d}.get(axes)


def tensors(work: Work, channels_last: bool = True) -> tuple[Tensor, ...]:
    """The work's inputs in host memory, channels last where asked for and where there is that."""
    import torch

    found = [torch.from_numpy(array) for array in work.inputs]
    formats = [memory_format(value.dim()) if channels_last else None for value in found]
    return tuple(
        value.contiguous() if order is None else value.contiguous(memory_format=order)
        for value, order in zip(found, formats, strict=True)
    )


def empty_result(work: Work, channels_last: bool = True) -> Tensor:
    """Host memory for the result, touched; floats channels last where there is that order."""
    import torch

    out = torch.from_numpy(work.empty_result())
    order = memory_format(out.dim()) if channels_last and work.output == "float32" else None
    return out if order is None else out.to(memory_format=order)


def whole_forward(work: Work) -> nn.Module:
    """Inputs in host memory -> what the work asks for: conversions, network, images.

    One module, so that a compiler sees all of it and can fuse the ends.
    """
    import torch
    from torch import nn

    network, dtype = work.network, dtype_of(work.precision)

    class Forward(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = prepared(network, work.precision, work.device)

        def forward(self, values: Tensor, *labels: Tensor) -> Tensor:
            there = [label.to(work.device) for label in labels]
            made = self.network(values.to(work.device, dtype), *there).float()
            if work.output == "float32":
                return made
            scale, shift = image_scale(network)
            made = made * scale + shift
            if not network.bounded:
                made = made.clamp(0.0, 255.0)
            return made.to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    return Forward()
