"""The sessions of one ONNX file on a GPU, each with its ring of batches in flight."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from engine.backends import _onnx_providers as gpu
from engine.backends._cuda_device import CudaDevice, Device
from engine.backends._device_ring import Network, Ring
from engine.backends._onnx_session import open_session
from engine.core.artifacts import Artifact
from engine.core.cache import cache_folder
from engine.core.spec import GeneratorSpec

if TYPE_CHECKING:
    import onnxruntime as ort

_TF32 = "NVIDIA_TF32_OVERRIDE"


class GpuSessions:
    """Decoder and, from its first use, encoder; `notes` grows with what was given up for them."""

    def __init__(
        self,
        artifact: Artifact,
        spec: GeneratorSpec,
        batch: int,
        provider: str,
        threads: int | None,
        device: Device | None = None,
    ) -> None:
        self._artifact = artifact
        self._spec = spec
        self._batch = batch
        self._provider = provider
        self._threads = threads
        self._device = device or CudaDevice()
        self._networks: dict[str, Network] = {}
        self._rings: dict[tuple[str, bool], Ring] = {}
        self.notes: list[str] = []
        if provider == gpu.TENSORRT and os.environ.get(_TF32) != "0":
            self.notes.append(
                "TensorRT within onnxruntime computes fp32 in TF32, 10 bits of mantissa, unless "
                f"{_TF32}=0 is set before Python starts"
            )

    def open(self, entry_point: str, described: ort.InferenceSession | None = None) -> Network:
        """Bind and warm up an entry point; described: a session on the CPU to read shapes off."""
        from engine.backends import _onnx_device as on_device

        if entry_point in self._networks:
            return self._networks[entry_point]
        artifact = self._artifact if entry_point == "decoder" else self._artifact.encoder()
        described = described or open_session(artifact.path, optimised=False)
        inputs, outputs = on_device.shapes(
            described, self._spec, entry_point, self._batch, artifact.path
        )

        folder = self._kept(artifact) if self._provider == gpu.TENSORRT else None

        def providers(attempt: gpu.Attempt) -> list[tuple[str, gpu.Options]]:
            stream, index = self._device.compute.cuda_stream, self._device.index
            if self._provider == gpu.CUDA:
                return [(gpu.CUDA, gpu.cuda_options(stream, attempt.graph, index))]
            # Its engines are as large as the graph lets them be; CUDA takes the rest.
            options = gpu.tensorrt_options(stream, attempt.graph, inputs, folder, index)
            return [(gpu.TENSORRT, options), (gpu.CUDA, gpu.cuda_options(stream, False, index))]

        def use(session: ort.InferenceSession, attempt: gpu.Attempt) -> Network:
            return on_device.bound(
                session, self._device, inputs, outputs, artifact.path, attempt.strict
            )

        network, note = gpu.open_on_gpu(artifact.path, providers, self._threads, use)
        if note:
            self.notes.append(f"the {entry_point}: {note}")
        self._networks[entry_point] = network
        return network

    def ring(self, entry_point: str, images: bool) -> Ring:
        """Batches of an entry point; images: floats of the decoder as uint8 [batch, H, W, C]."""
        from engine.backends._device_images import with_images

        with self._device.lock:
            key = (entry_point, images)
            if key not in self._rings:
                network = self.open(entry_point)
                if images:
                    output = self._spec.output
                    network = with_images(self._device, network, output.name, output.range)
                self._rings[key] = Ring(self._device, network)
            return self._rings[key]

    def _kept(self, artifact: Artifact) -> Path | None:
        """The folder of an artifact's engines in the user's cache, if it can be written."""
        folder = cache_folder("onnxruntime-tensorrt") / artifact.sha256[:32]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.notes.append(f"TensorRT builds anew at each start: {folder}: {error.strerror}")
            return None
        return folder

    def close(self) -> None:
        """Free the sessions and their buffers; the stream that they run on goes last."""
        for ring in self._rings.values():
            ring.close()
        self._rings.clear()
        self._networks.clear()


def torch_without_gpu() -> str | None:
    """Why PyTorch cannot hold buffers on a GPU, or None. Imports it."""
    import torch

    if torch.cuda.is_available():
        return None
    return f"PyTorch {torch.__version__} sees no GPU; install its build for CUDA"
