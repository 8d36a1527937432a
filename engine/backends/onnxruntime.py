"""ONNX files by onnxruntime, on the CPU or an NVIDIA GPU.

The precision is that of the graph. On the CPU sampling imports neither torch nor onnx. On a GPU
PyTorch holds the buffers, which are bound once, and up to two batches are in flight
(`_device_ring`); onnxruntime makes a CUDA graph of it where it can, else `notes` says why.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from engine.backends._onnx_check import check_decoder, graph_precision, makes_images
from engine.backends._onnx_gpu import GpuSessions, torch_without_gpu
from engine.backends._onnx_providers import CUDA, not_compiled_in
from engine.backends._onnx_session import (
    DTYPES,
    as_taken,
    fixed_batch,
    open_session,
    session_spec,
)
from engine.backends.base import (
    IN_FLIGHT,
    Backend,
    BackendOptions,
    Batch,
    Capabilities,
    Inputs,
    Pending,
    choose_option,
    finished,
    installed_version,
    not_installed,
)
from engine.core.artifacts import Artifact
from engine.core.errors import (
    ArtifactError,
    BackendUnavailableError,
    ImagesOnlyError,
    OptionError,
)

if TYPE_CHECKING:
    import onnxruntime as ort

_BATCH_SIZE = {"cpu": 32, "cuda": 256}


class OnnxRuntimeBackend(Backend):
    """A decoder session and, opened at first use, an encoder session."""

    name = "onnxruntime"
    capabilities = Capabilities(
        artifacts=("onnx", "checkpoint"),
        devices=("cpu", "cuda"),
        precisions=("fp32", "fp16", "fp64", "mixed", "int8"),
        through_onnx=True,
    )
    # What runs it on a GPU.
    provider: ClassVar[str] = CUDA

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        devices, why_not = self._usable()
        self._artifact = artifact
        self._threads = options.threads
        self._sessions: dict[str, ort.InferenceSession] = {}
        self._gpu: GpuSessions | None = None
        self.device = choose_option("device", options.device, devices, self.name)
        try:
            self._open(options)
        except BackendUnavailableError as error:
            if options.device != "auto" or "cpu" not in devices:
                raise
            self.device, self._gpu, why_not = "cpu", None, str(error)
            self._open(options)
        self._notes = () if why_not is None else (f"on the CPU: {why_not}",)

    def _open(self, options: BackendOptions) -> None:
        on_gpu = self.device == "cuda"
        path = self._artifact.path
        # On a GPU it only tells what the graph takes and gives.
        decoder = open_session(path, options.threads, optimised=not on_gpu)
        self.spec = session_spec(decoder, self._artifact)
        check_decoder(decoder, self.spec, path)
        self._images = makes_images(decoder, self.spec)
        precision = graph_precision(decoder, self.spec)
        self.precision = choose_option("precision", options.precision, (precision,), self.name)
        only = fixed_batch(decoder)
        if only is not None and options.batch_size not in (None, only):
            raise OptionError(
                f"batch_size={options.batch_size} does not fit: the graph was exported for batches "
                f"of {only}; leave it out, or export with a dynamic batch"
            )
        self.batch_size = options.batch_size or only or _BATCH_SIZE[self.device]
        self.in_flight = IN_FLIGHT if on_gpu else 0
        if not on_gpu:
            self._sessions["decoder"] = decoder
            return
        self._gpu = GpuSessions(
            self._artifact, self.spec, self.batch_size, self.provider, options.threads
        )
        self._gpu.open("decoder", decoder)

    @property
    def notes(self) -> tuple[str, ...]:  # type: ignore[override]
        """Why it does not run on a GPU, or what was given up there."""
        return self._notes if self._gpu is None else tuple(self._gpu.notes)

    @property
    def makes_images(self) -> bool:
        """Graphs with uint8 output do; on a GPU all of image models, on the device behind them."""
        return self._images or (self._gpu is not None and self.spec.modality == "image")

    @classmethod
    def unavailable(cls) -> str | None:
        """Missing package, or none."""
        return not_installed("onnxruntime", "onnx")

    @classmethod
    def version(cls) -> str:
        """Version of onnxruntime or onnxruntime-gpu."""
        return installed_version("onnxruntime", "onnxruntime-gpu")

    @classmethod
    def open(cls, artifact: Artifact, options: BackendOptions) -> Self:
        """Open an ONNX file."""
        return cls(artifact, options)

    def begin(self, entry_point: str, inputs: Inputs, images: bool, to_host: bool) -> Pending:
        """Put one batch on the GPU. Raises OptionError for floats of a graph that has images."""
        assert self._gpu is not None
        if not images:
            self._check_floats(entry_point)
        ring = self._gpu.ring(entry_point, images and not self._images)
        return ring.begin(inputs, to_host)

    def run(self, entry_point: str, inputs: Inputs) -> Batch:
        """One batch; inputs are converted to what the graph declares, outputs to float32.

        Raises ImagesOnlyError for a decoder that makes uint8 images itself.
        """
        if self._gpu is not None:
            return finished(self.begin(entry_point, inputs, images=False, to_host=False))
        self._check_floats(entry_point)
        made = self._outputs(entry_point, inputs)
        return Batch({name: value.astype(np.float32, copy=False) for name, value in made.items()})

    def run_images(self, inputs: Inputs) -> Batch:
        """One batch of images: of a decoder that was exported with them, or converted on a GPU."""
        if self._gpu is not None:
            return finished(self.begin("decoder", inputs, images=True, to_host=False))
        return Batch(self._outputs("decoder", inputs))

    def close(self) -> None:
        """Drop the sessions."""
        self._sessions.clear()
        if self._gpu is not None:
            self._gpu.close()

    @classmethod
    def _usable(cls) -> tuple[tuple[str, ...], str | None]:
        """Usable devices, best first, and why the GPU of this machine is not among them."""
        if not_compiled_in(cls.provider) is not None:
            return ("cpu",), None
        why_not = not_installed("torch", "torch") or torch_without_gpu()
        return (("cuda", "cpu"), None) if why_not is None else (("cpu",), why_not)

    def _check_floats(self, entry_point: str) -> None:
        if entry_point == "decoder" and self._images:
            raise ImagesOnlyError(
                f"{self._artifact.name} gives uint8 images alone; ask for output='uint8', or "
                "export it without --output uint8"
            )

    def _outputs(self, entry_point: str, inputs: Inputs) -> dict[str, NDArray[Any]]:
        session = self._session(entry_point)
        feed = {
            node.name: np.ascontiguousarray(as_taken(inputs[node.name], node), DTYPES[node.type])
            for node in session.get_inputs()
        }
        names = [node.name for node in session.get_outputs()]
        try:
            outputs = session.run(names, feed)
        # onnxruntime's exceptions share no base class of its own.
        except Exception as error:
            reason = str(error).strip().splitlines()[0]
            raise ArtifactError(
                f"{self._artifact.path}: the {entry_point} fails on batches of {self.batch_size} "
                f"(try batch_size=1): {reason}"
            ) from error
        return {name: np.asarray(output) for name, output in zip(names, outputs, strict=True)}

    def _session(self, entry_point: str) -> ort.InferenceSession:
        if entry_point not in self._sessions:
            path = self._artifact.encoder().path
            self._sessions[entry_point] = open_session(path, self._threads)
        return self._sessions[entry_point]
