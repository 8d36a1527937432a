"""ONNX files by onnxruntime, on the CPU or an NVIDIA GPU.

The precision is that of the graph. Sampling imports neither torch nor onnx.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from engine.backends._cuda import no_gpu_reason
from engine.backends._onnx_check import check_decoder, graph_precision, makes_images
from engine.backends._onnx_session import DTYPES, fixed_batch, open_session, session_spec
from engine.backends.base import (
    Backend,
    BackendOptions,
    Batch,
    Capabilities,
    Inputs,
    choose_option,
    installed_version,
    not_installed,
)
from engine.core.artifacts import Artifact
from engine.core.errors import ArtifactError, ImagesOnlyError, OptionError

if TYPE_CHECKING:
    import onnxruntime as ort


class OnnxRuntimeBackend(Backend):
    """A decoder session and, opened at first use, an encoder session."""

    name = "onnxruntime"
    capabilities = Capabilities(
        artifacts=("onnx", "checkpoint"),
        devices=("cpu", "cuda"),
        precisions=("fp32", "fp16", "fp64", "mixed", "int8"),
        through_onnx=True,
    )

    def __init__(self, artifact: Artifact, options: BackendOptions) -> None:
        self.device = choose_option("device", options.device, _devices(), self.name)
        self._artifact = artifact
        self._threads = options.threads
        decoder = self._open(artifact)
        self._sessions = {"decoder": decoder}
        self.spec = session_spec(decoder, artifact)
        check_decoder(decoder, self.spec, artifact.path)
        self._images = makes_images(decoder, self.spec)
        precision = graph_precision(decoder, self.spec)
        self.precision = choose_option("precision", options.precision, (precision,), self.name)
        only = fixed_batch(decoder)
        if only is not None and options.batch_size not in (None, only):
            raise OptionError(
                f"batch_size={options.batch_size} does not fit: the graph was exported for batches "
                f"of {only}; leave it out, or export with a dynamic batch"
            )
        self.batch_size = options.batch_size or only or (32 if self.device == "cpu" else 256)
        self.notes: tuple[str, ...] = ()

    @property
    def makes_images(self) -> bool:
        """Whether the graph was exported with uint8 output."""
        return self._images

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

    def run(self, entry_point: str, inputs: Inputs) -> Batch:
        """One batch; inputs are converted to what the graph declares, outputs to float32.

        Raises ImagesOnlyError for a decoder that makes uint8 images itself.
        """
        if entry_point == "decoder" and self._images:
            raise ImagesOnlyError(
                f"{self._artifact.path} gives uint8 images alone; ask for output='uint8', or "
                "export it without --output uint8"
            )
        made = self._outputs(entry_point, inputs)
        return Batch({name: value.astype(np.float32, copy=False) for name, value in made.items()})

    def run_images(self, inputs: Inputs) -> Batch:
        """One batch of a decoder that was exported with uint8 output."""
        return Batch(self._outputs("decoder", inputs))

    def _outputs(self, entry_point: str, inputs: Inputs) -> dict[str, NDArray[Any]]:
        session = self._session(entry_point)
        feed = {
            node.name: np.ascontiguousarray(inputs[node.name], DTYPES[node.type])
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

    def close(self) -> None:
        """Drop the sessions."""
        self._sessions.clear()

    def _session(self, entry_point: str) -> ort.InferenceSession:
        if entry_point not in self._sessions:
            self._sessions[entry_point] = self._open(self._artifact.encoder())
        return self._sessions[entry_point]

    def _open(self, artifact: Artifact) -> ort.InferenceSession:
        providers: list[Any] | None = None
        if self.device == "cuda":
            # TF32 would cost the agreement of 1e-4 that exports promise.
            providers = [("CUDAExecutionProvider", {"use_tf32": "0"})]
        return open_session(artifact.path, providers, self._threads)


def _devices() -> tuple[str, ...]:
    """Usable devices, best first."""
    import onnxruntime as ort

    if "CUDAExecutionProvider" in ort.get_available_providers() and no_gpu_reason() is None:
        return ("cuda", "cpu")
    return ("cpu",)
