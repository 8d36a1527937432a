"""OpenVINO with its two performance hints.

https://docs.openvino.ai, "High-level Performance Hints" and "Precision Control": without a
precision hint, fp32 models would run in bf16 on CPUs that have it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from benchmarks.contestants.base import Entry, dividing
from benchmarks.network import Array, Work
from benchmarks.results import Role
from engine.backends.base import not_installed


class OpenVino:
    """The ONNX file compiled for static batches; THROUGHPUT runs several at the same time."""

    role: Role = "peer"
    slow_to_open = False

    def __init__(self, hint: Literal["LATENCY", "THROUGHPUT"]) -> None:
        self.name = f"OpenVINO {hint.lower()}"
        self._hint = hint

    def unavailable(self, work: Work) -> str | None:
        """Without the package; GPUs of NVIDIA are not its business."""
        if work.device != "cpu":
            return "OpenVINO does not run on NVIDIA GPUs"
        return not_installed("openvino", "bench")

    def batch_sizes(self, work: Work) -> tuple[int, ...]:
        """From small, which throughput likes, to all at once."""
        return dividing(work.n, (8, 32, 64, 256))

    def open(self, work: Work, batch_size: int) -> Entry:
        """A compiled model, and a request for each batch with its memory bound."""
        import openvino as ov

        core = ov.Core()
        model = core.read_model(
            work.network.images if work.output == "uint8" else work.network.onnx
        )
        inputs = [np.ascontiguousarray(array) for array in work.inputs]
        model.reshape(
            {
                port.any_name: [batch_size, *array.shape[1:]]
                for port, array in zip(model.inputs, inputs, strict=True)
            }
        )
        precision = {"fp32": ov.Type.f32, "bf16": ov.Type.bf16, "fp16": ov.Type.f16}
        compiled = core.compile_model(
            model,
            "CPU",
            {
                "PERFORMANCE_HINT": self._hint,
                "INFERENCE_PRECISION_HINT": precision[work.precision],
                "INFERENCE_NUM_THREADS": work.threads,
            },
        )
        out = work.empty_result()
        # Requests know addresses alone: their arrays stay with them.
        requests = []
        for part in work.parts(batch_size):
            request, given = compiled.create_infer_request(), [array[part] for array in inputs]
            for index, array in enumerate(given):
                request.set_input_tensor(index, ov.Tensor(array, shared_memory=True))
            request.set_output_tensor(0, ov.Tensor(out[part], shared_memory=True))
            requests.append((request, given))

        def one_by_one() -> Array:
            for request, _ in requests:
                request.infer(share_inputs=True)
            return out

        def all_at_once() -> Array:
            for request, _ in requests:
                request.start_async(share_inputs=True)
            for request, _ in requests:
                request.wait()
            return out

        streams = compiled.get_property("NUM_STREAMS")
        settings = (
            f"{self._hint} hint, {work.precision} hint, {streams} streams, {work.threads} threads"
        )
        run = all_at_once if self._hint == "THROUGHPUT" else one_by_one
        return Entry(settings, run)
