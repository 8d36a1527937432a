"""Convolutions with a kernel for each sample, as StyleGAN 2 writes them, for a free batch.

Karras et al., "Analyzing and improving the image quality of StyleGAN", 2020: the batch becomes
groups, [1, B C, H, W] with kernels [B O, C, k, k]. ONNX has no groups that are as many as there
are samples; a sum over the taps of products [B, O, C] x [B, C, H W] is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


class PerSample(TorchFunctionMode):
    """Within it, 2-D convolutions whose number of groups is the free batch are sums of products."""

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        given = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name == "conv2d" and isinstance(_argument(args, given, 6, "groups", 1), torch.SymInt):
            return _convolution(*args, **given)
        if name == "conv_transpose2d" and isinstance(
            _argument(args, given, 6, "groups", 1), torch.SymInt
        ):
            return _transposed(*args, **given)
        return func(*args, **given)


def _convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: Any = 1,
) -> Tensor:
    """`torch.nn.functional.conv2d` of [1, B C, H, W] with B groups."""
    channels, height, width = weight.shape[1:]
    x = input.reshape(groups, channels, *input.shape[2:])
    kernels = weight.reshape(groups, -1, channels, height, width)
    (top, left) = _pair(padding)
    x = functional.pad(x, (left, left, top, top))
    made = _taps(x, kernels, _pair(stride), _pair(dilation))
    return _with_bias(made, bias)


def _transposed(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: Any = 1,
    dilation: Any = 1,
) -> Tensor:
    """`torch.nn.functional.conv_transpose2d` of [1, B C, H, W] with B groups."""
    outputs, *sizes = weight.shape[1:]
    rows, columns = input.shape[2:]
    x = input.reshape(groups, -1, rows, columns)
    channels = x.shape[1]
    down, right = _pair(stride)
    # Zeros between the pixels; the last ones go with the margins.
    x = x.reshape(groups, channels, rows, 1, columns, 1)
    x = functional.pad(x, (0, right - 1, 0, 0, 0, down - 1))
    x = x.reshape(groups, channels, rows * down, columns * right)
    margins = []
    for size, step, pad, extra, gap in zip(
        reversed(sizes),
        (right, down),
        reversed(_pair(padding)),
        reversed(_pair(output_padding)),
        reversed(_pair(dilation)),
        strict=True,
    ):
        before = gap * (size - 1) - pad
        margins += [before, before + extra - (step - 1)]
    kernels = weight.reshape(groups, -1, outputs, *sizes).transpose(1, 2).flip(3, 4)
    made = _taps(functional.pad(x, margins), kernels, (1, 1), _pair(dilation))
    return _with_bias(made, bias)


def _taps(x: Tensor, kernels: Tensor, stride: tuple[int, int], dilation: tuple[int, int]) -> Tensor:
    """x [B, C, H, W] and kernels [B, O, C, k, k] -> [1, B O, H', W']."""
    batch, channels = x.shape[:2]
    sizes = [
        (size - gap * (taps - 1) - 1) // step + 1
        for size, taps, step, gap in zip(
            x.shape[2:], kernels.shape[3:], stride, dilation, strict=True
        )
    ]
    total: Tensor | None = None
    for row in range(kernels.shape[3]):
        for column in range(kernels.shape[4]):
            top, left = row * dilation[0], column * dilation[1]
            part = x[
                :,
                :,
                top : top + (sizes[0] - 1) * stride[0] + 1 : stride[0],
                left : left + (sizes[1] - 1) * stride[1] + 1 : stride[1],
            ]
            product = kernels[:, :, :, row, column] @ part.reshape(batch, channels, -1)
            total = product if total is None else total + product
    assert total is not None
    return total.reshape(1, -1, *sizes)


def _with_bias(made: Tensor, bias: Tensor | None) -> Tensor:
    return made if bias is None else made + bias.reshape(1, -1, 1, 1)


def _pair(value: Any) -> tuple[int, int]:
    first, second = (value, value) if isinstance(value, int) else value
    return first, second


def _argument(
    args: tuple[Any, ...], given: Mapping[str, Any], index: int, name: str, usual: Any
) -> Any:
    return args[index] if len(args) > index else given.get(name, usual)
