"""ONNX files by onnxruntime's TensorRT provider: engines built when a file is first opened.

A backend of its own, and never the choice of `auto`: building takes minutes, once per file, batch
size and GPU (the engines are kept in the user's cache). Otherwise it is the onnxruntime backend on
a GPU. onnxruntime-gpu names the TensorRT that it needs; where that is missing, the error says so.
"""

from __future__ import annotations

from engine.backends._onnx_providers import TENSORRT, not_compiled_in
from engine.backends.base import Capabilities, not_installed
from engine.backends.onnxruntime import OnnxRuntimeBackend


class OnnxRuntimeTensorRTBackend(OnnxRuntimeBackend):
    """The onnxruntime backend with TensorRT in the place of CUDA, on GPUs alone."""

    name = "onnxruntime-tensorrt"
    capabilities = Capabilities(
        artifacts=("onnx", "checkpoint"),
        devices=("cuda",),
        precisions=("fp32", "fp16", "mixed", "int8"),
        through_onnx=True,
    )
    provider = TENSORRT

    @classmethod
    def unavailable(cls) -> str | None:
        """Missing package, provider, driver or GPU, or none."""
        missing = not_installed("onnxruntime", "cuda") or not_installed("torch", "torch")
        return missing or not_compiled_in(cls.provider)

    @classmethod
    def _usable(cls) -> tuple[tuple[str, ...], str | None]:
        # A PyTorch without CUDA is told of by the device itself.
        return ("cuda",), None
