"""How many CTAs of a kernel fit on a multiprocessor at once.

Source: NVIDIA, CUDA C++ Programming Guide, table "Technical Specifications per Compute Capability",
and the granularities of its occupancy calculator.
"""

from __future__ import annotations

from dataclasses import dataclass

_REGISTERS = 65536
_PARTITIONS = 4
_REGISTERS_A_WARP_STEP = 256
# What the driver keeps of shared memory for itself, in every CTA.
_RESERVED_SHARED_BYTES = 1024
_SHARED_STEP_BYTES = 128
_TENSOR_MEMORY_COLUMNS = 512


@dataclass(frozen=True, slots=True)
class Multiprocessor:
    """Limits of one multiprocessor; shared memory for all CTAs, and the most for one, in KiB."""

    warps: int
    ctas: int
    shared_kib: int
    shared_kib_a_cta: int


MULTIPROCESSORS: dict[int, Multiprocessor] = {
    80: Multiprocessor(warps=64, ctas=32, shared_kib=164, shared_kib_a_cta=163),
    86: Multiprocessor(warps=48, ctas=16, shared_kib=100, shared_kib_a_cta=99),
    89: Multiprocessor(warps=48, ctas=24, shared_kib=100, shared_kib_a_cta=99),
    90: Multiprocessor(warps=64, ctas=32, shared_kib=228, shared_kib_a_cta=227),
    100: Multiprocessor(warps=64, ctas=32, shared_kib=228, shared_kib_a_cta=227),
    120: Multiprocessor(warps=48, ctas=24, shared_kib=100, shared_kib_a_cta=99),
}


def ctas_per_multiprocessor(
    architecture: int,
    registers: int,
    warps: int,
    shared_bytes: int,
    tensor_memory_columns: int = 0,
) -> int:
    """CTAs that fit, by registers a thread, warps, shared bytes and tensor memory of each.

    0 means that the kernel cannot be launched there. Raises KeyError for an unknown architecture.
    """
    limits = MULTIPROCESSORS[architecture]
    if shared_bytes > limits.shared_kib_a_cta * 1024:
        return 0
    a_warp = _up(max(registers, 1) * 32, _REGISTERS_A_WARP_STEP)
    resident_warps = _REGISTERS // _PARTITIONS // a_warp * _PARTITIONS
    shared = _up(shared_bytes + _RESERVED_SHARED_BYTES, _SHARED_STEP_BYTES)
    bounds = [
        limits.ctas,
        limits.warps // warps,
        resident_warps // warps,
        limits.shared_kib * 1024 // shared,
    ]
    if tensor_memory_columns:
        bounds.append(_TENSOR_MEMORY_COLUMNS // tensor_memory_columns)
    return min(bounds)


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
