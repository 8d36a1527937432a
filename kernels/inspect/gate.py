"""What a binary must hold before its configuration ships."""

from __future__ import annotations

from dataclasses import dataclass

from kernels.inspect.reading import Reading

WIDE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of a kernel beyond not spilling.

    tensor_cores: it has a low-precision matrix product. wide: the arguments that it may touch in
    steps of 16 bytes only.
    """

    tensor_cores: bool = False
    wide: tuple[str, ...] = ()


def gate(reading: Reading, demand: Demand) -> list[str]:
    """The demands that a binary does not meet, each as a sentence; empty if it may ship."""
    faults = []
    spilled = (reading.stack_bytes, reading.spill_loads, reading.spill_stores)
    if any(spilled):
        faults.append(
            f"spills: {spilled[0]} bytes of stack, {spilled[1]} loads (LDL) and {spilled[2]} "
            f"stores (STL) of local memory"
        )
    if reading.ctas_per_multiprocessor == 0:
        faults.append(
            f"does not fit: {reading.registers} registers a thread, {reading.warps} warps, "
            f"{reading.shared_bytes} bytes of shared memory"
        )
    if demand.tensor_cores and not reading.tensor_instructions:
        faults.append("has a low-precision matrix product, but no tensor-core instruction")
    for access in reading.accesses:
        narrow = sorted(set(access.arguments) & set(demand.wide))
        if narrow and access.bytes < WIDE_BYTES:
            faults.append(
                f"{access.count} {access.direction}s of {' or '.join(narrow)} move "
                f"{access.bytes} bytes a thread instead of {WIDE_BYTES}"
            )
        if not access.arguments and not access.tensor_map and demand.wide:
            faults.append(
                f"{access.count} {access.direction}s of {access.bytes} bytes could not be "
                f"followed to an argument"
            )
    seen = {argument for access in reading.accesses for argument in access.arguments}
    maps = any(access.tensor_map for access in reading.accesses)
    missing = sorted(set(demand.wide) - seen)
    if missing and not maps:
        faults.append(f"no access to {', '.join(missing)} was found")
    return faults
