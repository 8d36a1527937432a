"""Floats to uint8 images where they lie, so that a quarter of the bytes leaves the device."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.backends._cuda_device import Device
from engine.backends._device_ring import Network


def to_uint8(values: Tensor, value_range: tuple[float, float]) -> Tensor:
    """[batch, H, W, C] in value_range -> uint8: the bits of `engine.images.to_uint8`."""
    low, high = value_range
    scale = np.float32(255.0 / (high - low))
    # A product and a sum of their own: one instruction for both would round once less.
    scaled = values.float() * float(scale)
    scaled = scaled + float(np.float32(-low) * scale)
    return scaled.round().clamp(0.0, 255.0).to(torch.uint8).contiguous()


def with_images(
    device: Device, network: Network, name: str, value_range: tuple[float, float]
) -> Network:
    """The same network with its output `name`, floats [batch, C, H, W], as images and `finite`."""
    floats: Any = network.outputs[name]
    batch, channels, height, width = floats.shape
    images = device.buffer((batch, height, width, channels), torch.uint8)
    finite = device.buffer((batch,), torch.bool)

    def convert() -> None:
        images.copy_(to_uint8(floats.permute(0, 2, 3, 1), value_range))
        finite.copy_(torch.isfinite(floats).flatten(1).all(1))

    def launch() -> None:
        network.launch()
        device.on(device.compute, convert)

    return Network(network.inputs, {name: images}, launch, finite)
