"""A Program on the fused Triton kernels: NVIDIA GPUs, or Triton's interpreter on a CPU."""

from __future__ import annotations

import os

from engine.backends._cuda import compute_capability, no_gpu_reason
from engine.backends.base import (
    Backend,
    Capabilities,
    installed_version,
    not_installed,
)

# The oldest generation that Triton has tensor-core code for, and that is tested here.
_OLDEST = 80


class TritonBackend(Backend):
    """Programs planned, packed and launched; on a GPU as CUDA graphs."""

    name = "triton"
    capabilities = Capabilities(
        artifacts=("gen",),
        devices=("cuda", "cpu"),
        precisions=("fp16", "bf16", "fp32"),
        fused_uint8=True,
    )

    @classmethod
    def unavailable(cls) -> str | None:
        """Missing package, GPU or GPU generation, or none."""
        missing = not_installed("triton", "cuda") or not_installed("torch", "cuda")
        if missing or interpreted():
            return missing
        no_gpu = no_gpu_reason()
        if no_gpu:
            return f"{no_gpu}; with TRITON_INTERPRET=1 it runs on a CPU, for tests, very slowly"
        capability = compute_capability()
        if capability < _OLDEST:
            return (
                f"the GPU has compute capability {capability / 10:.1f}, the kernels need "
                f"{_OLDEST / 10:.1f}"
            )
        return None

    @classmethod
    def version(cls) -> str:
        """Version of Triton."""
        return installed_version("triton")


def interpreted() -> bool:
    """Whether kernels would run in Triton's interpreter; asked without importing Triton."""
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "on", "yes", "y")
