"""A binary as the reader gives it, with nothing wrong."""

from __future__ import annotations

from kernels.inspect.reading import GlobalAccess, Reading

GOOD = Reading(
    architecture=80,
    registers=128,
    stack_bytes=0,
    spill_loads=0,
    spill_stores=0,
    shared_bytes=65536,
    tensor_memory_columns=0,
    warps=8,
    ctas_per_multiprocessor=2,
    instructions=600,
    tensor_instructions={"HMMA.16816.F32": 64},
    loop=None,
    accesses=(
        GlobalAccess(("x_ptr",), "load", 16, False, 12),
        GlobalAccess(("scale_ptr",), "load", 4, False, 2),
    ),
    cubin_bytes=30000,
)
