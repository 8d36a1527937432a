"""Kernels compiled ahead of time: packed in one checked file, launched without Triton's compiler.

data = container.pack(entries, about)              # where the compiler is
with Binaries.open("NAME.kernels") as binaries, launching_with(binaries.run):
    ...                                            # launches run through the CUDA driver
"""
