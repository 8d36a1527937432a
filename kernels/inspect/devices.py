"""GPUs and what a roofline says of a layer on them: a bound from data sheets, never a measurement.

Peaks are dense tensor-core rates with fp32 accumulation at boost clock. Sources: NVIDIA's data
sheets of H100 SXM, A100 80 GB SXM and L4, and its Ada and Blackwell (GeForce) whitepapers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kernels.conv_transpose.problem import Operand


@dataclass(frozen=True, slots=True)
class Device:
    """Peak rates a second: tensor-core FLOPs by operand, and bytes of device memory."""

    name: str
    architecture: int
    half_flops: float
    tf32_flops: float
    memory_bytes: float


DEVICES = (
    Device("H100", 90, 990e12, 495e12, 3.35e12),
    Device("A100", 80, 312e12, 156e12, 2.04e12),
    Device("L4", 89, 121e12, 60e12, 0.30e12),
    Device("RTX 4090", 89, 165e12, 82.6e12, 1.01e12),
    Device("RTX 5090", 120, 209e12, 104.8e12, 1.79e12),
)

# tf32x3 multiplies high and low parts: three products for one.
_PRODUCTS = {"fp16": 1, "bf16": 1, "fp32": 3}


@dataclass(frozen=True, slots=True)
class Roofline:
    """The least time of a layer at peak rates, in microseconds: an estimate."""

    device: str
    compute_us: float
    memory_us: float

    @property
    def bound(self) -> Literal["compute", "memory"]:
        """What takes longer."""
        return "compute" if self.compute_us >= self.memory_us else "memory"


def roofline(device: Device, operand: Operand, executed_flops: int, bytes_: int) -> Roofline:
    """Time of the executed FLOPs and of the compulsory bytes at a device's peak rates."""
    peak = device.tf32_flops if operand == "fp32" else device.half_flops
    return Roofline(
        device.name,
        executed_flops * _PRODUCTS[operand] / peak * 1e6,
        bytes_ / device.memory_bytes * 1e6,
    )
