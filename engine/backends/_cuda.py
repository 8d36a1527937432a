"""Is there an NVIDIA GPU? Asked of the driver itself: quick, silent, and with no framework."""

from __future__ import annotations

import ctypes
import functools
import sys

# CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR.
_COMPUTE_CAPABILITY = (75, 76)


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


def compute_capability() -> int:
    """That of the first GPU, 90 for 9.0. Only where `no_gpu_reason` finds no reason."""
    driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    numbers = []
    for attribute in _COMPUTE_CAPABILITY:
        number = ctypes.c_int(0)
        driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, 0)
        numbers.append(number.value)
    major, minor = numbers
    return 10 * major + minor
