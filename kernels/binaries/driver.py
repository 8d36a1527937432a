"""The calls of the CUDA driver that launch a binary, through cuda-bindings."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

# What a CTA may have of shared memory without asking for more.
_FREE_SHARED_BYTES = 48 * 1024


class Driver:
    """One GPU by its primary context, the one that torch uses too.

    Raises RuntimeError without cuda-bindings, a driver or that GPU.
    """

    def __init__(self, device: int = 0) -> None:
        try:
            from cuda.bindings import driver
        except ImportError as error:
            raise RuntimeError(f"cuda-bindings is not installed: {error}") from error
        self._cuda = driver
        try:
            self._check(driver.cuInit(0))
        # cuda-bindings has an error of its own for a library that is not there.
        except Exception as error:
            raise RuntimeError(f"no CUDA driver: {error}") from error
        self._device = self._check(driver.cuDeviceGet(device))
        self._context = self._check(driver.cuDevicePrimaryCtxRetain(self._device))
        self.make_current()
        names = driver.CUdevice_attribute
        major = self._attribute(names.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)
        minor = self._attribute(names.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)
        self.architecture = 10 * major + minor
        self.most_shared_bytes = self._attribute(
            names.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN
        )

    @property
    def library(self) -> Any:
        """The driver itself, for what cuda-bindings cannot do. Raises OSError."""
        return ctypes.CDLL("libcuda.so.1")

    def make_current(self) -> None:
        """Bind the context to this thread: every thread that launches has to."""
        self._check(self._cuda.cuCtxSetCurrent(self._context))

    def load(self, binary: bytes, name: str, shared_bytes: int) -> tuple[Any, Any]:
        """A module and its kernel, allowed to take shared_bytes. Raises RuntimeError."""
        if shared_bytes > self.most_shared_bytes:
            raise RuntimeError(
                f"{name} takes {shared_bytes} bytes of shared memory, this GPU gives "
                f"{self.most_shared_bytes}"
            )
        module = self._check(self._cuda.cuModuleLoadData(binary))
        function = self._check(self._cuda.cuModuleGetFunction(module, name.encode()))
        if shared_bytes > _FREE_SHARED_BYTES:
            attribute = self._cuda.CUfunction_attribute
            self._check(
                self._cuda.cuFuncSetAttribute(
                    function,
                    attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                    shared_bytes,
                )
            )
        return module, function

    def launch(
        self,
        function: Any,
        grid: Sequence[int],
        threads: int,
        shared_bytes: int,
        stream: int,
        parameters: int,
    ) -> None:
        """Launch on a stream; parameters is the address of an array of addresses."""
        self._check(
            self._cuda.cuLaunchKernel(
                function, *grid, threads, 1, 1, shared_bytes, stream, parameters, 0
            )
        )

    def allocate(self, size: int) -> int:
        """Device memory; the address."""
        return int(self._check(self._cuda.cuMemAlloc(size)))

    def free(self, address: int) -> None:
        """Free what `allocate` gave."""
        self._check(self._cuda.cuMemFree(address))

    def unload(self, module: Any) -> None:
        """Unload a module and its kernel."""
        self._check(self._cuda.cuModuleUnload(module))

    def _attribute(self, attribute: Any) -> int:
        return int(self._check(self._cuda.cuDeviceGetAttribute(attribute, self._device)))

    def _check(self, result: tuple[Any, ...]) -> Any:
        error, *values = result
        if error != self._cuda.CUresult.CUDA_SUCCESS:
            text = self._cuda.cuGetErrorString(error)[1]
            said = text.decode() if isinstance(text, bytes) else str(text)
            raise RuntimeError(f"CUDA driver: {error.name} ({said})")
        return values[0] if len(values) == 1 else values
