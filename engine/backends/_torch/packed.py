"""Transposed convolutions on weights that oneDNN has put into its own order once.

`torch.ops.mkldnn` is what torch.compile's frozen graphs call, and no public interface: it is used
where it is there and computes what torch's own convolution does, which is asked once a process.
On DCGAN layers (two cores, batches of 32) it was 1.5 to 3.7 times as fast as torch's own, which
reorders the weights in every call.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from engine.backends._torch.views import Layer, channels_first, channels_last

# Batch that oneDNN chooses the order of weights for; others run as well.
_BATCH = 32


def packed(
    weight: Tensor,
    shift: Tensor | None,
    input_size: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    output_padding: tuple[int, ...],
    relu: bool,
) -> Layer | None:
    """A 2-D layer [batch, H, W, in] -> [batch, H', W', out], or None where this cannot be had.

    weight [in, out, kernel, kernel], shift [out]; relu ends it.
    """
    if len(input_size) != 2 or not _usable(weight.dtype):
        return None
    return _bind(weight, shift, input_size, stride, padding, output_padding, relu)


def _bind(
    weight: Tensor,
    shift: Tensor | None,
    input_size: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    output_padding: tuple[int, ...],
    relu: bool,
) -> Layer:
    operators: Any = torch.ops.mkldnn
    geometry = (padding, output_padding, stride, (1, 1), 1)
    size = (_BATCH, len(weight), *input_size)
    ordered = operators._reorder_convolution_transpose_weight(weight, *geometry, size)
    end = "relu" if relu else "none"

    def run(x: Tensor) -> Tensor:
        made = operators._convolution_transpose_pointwise(
            channels_first(x), ordered, shift, *geometry, end, [], ""
        )
        return channels_last(made)

    return run


@functools.cache
def _usable(dtype: torch.dtype) -> bool:
    """Whether the operators are there, take this type, and agree with the public one."""
    weight = torch.linspace(-1, 1, 16 * 24 * 16).view(16, 24, 4, 4).to(dtype)
    shift, x = torch.ones(24, dtype=dtype), torch.linspace(-1, 1, 2 * 9 * 16).view(2, 3, 3, 16)
    try:
        layer = _bind(weight, shift, (3, 3), (2, 2), (1, 1), (0, 0), relu=True)
        made = layer(x.to(dtype))
    # Whatever a private interface may raise once it has changed.
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return False
    public = F.conv_transpose2d(channels_first(x).to(dtype), weight, shift, 2, 1).relu()
    tolerance = 1e-4 if dtype == torch.float32 else 1e-1
    return torch.allclose(made, channels_last(public), rtol=tolerance, atol=tolerance)
