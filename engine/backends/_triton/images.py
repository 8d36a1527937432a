"""Floats to uint8 images in torch, for networks whose last operation cannot do it itself."""

from __future__ import annotations

import torch
from torch import Tensor


def to_uint8(values: Tensor, value_range: tuple[float, float]) -> Tensor:
    """[batch, H, W, C] in value_range -> uint8, rounded half to even and clipped."""
    low, high = value_range
    scale = 255.0 / (high - low)
    scaled = values.float() * scale + -low * scale
    return scaled.round().clamp(0.0, 255.0).to(torch.uint8).contiguous()
