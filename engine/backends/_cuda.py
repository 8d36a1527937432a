"""Is there an NVIDIA GPU? Asked of the driver itself: quick, silent, and with no framework."""

from __future__ import annotations

import ctypes
import functools
import sys


@functools.cache
def no_gpu_reason() -> str | None:
    """Why no NVIDIA GPU can be used, or None if at least one can."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return f"no NVIDIA driver on this machine ({library} not found)"
    status = driver.cuInit(0)
    if status != 0:
        return f"the NVIDIA driver does not start (cuInit gave {status})"
    count = ctypes.c_int(0)
    status = driver.cuDeviceGetCount(ctypes.byref(count))
    if status != 0 or count.value == 0:
        return "the NVIDIA driver sees no GPU"
    return None
