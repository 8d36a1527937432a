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
    """A network's module in a precision, its maps channels last where they have two axes."""
    import torch

    module = copy.deepcopy(network.module()).to(device=device, dtype=dtype_of(precision))
    if channels_last and len(network.output_shape) == 3:
        module = module.to(memory_format=torch.channels_last)
    return module.eval().requires_grad_(False)


def tensors(work: Work) -> tuple[Tensor, ...]:
    """The work's inputs, as they lie in host memory."""
    import torch

    return tuple(torch.from_numpy(array) for array in work.inputs)


def empty_result(work: Work, channels_last: bool = True) -> Tensor:
    """Host memory for the result, touched; maps of two axes channels last."""
    import torch

    out = torch.from_numpy(work.empty_result())
    if channels_last and work.output == "float32" and out.dim() == 4:
        out = out.to(memory_format=torch.channels_last)
    return out


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
