"""onnxruntime: all graph optimisations, results bound to their place in memory.

https://onnxruntime.ai/docs/performance/tune-performance/threading.html and iobinding.html.
"""

from __future__ import annotations

import numpy as np

from benchmarks.contestants.base import Entry, dividing
from benchmarks.network import Array, Work
from benchmarks.results import Role
from engine.backends.base import not_installed


class OnnxRuntime:
    """The ONNX file, its conversion to images in the graph."""

    name = "onnxruntime"
    role: Role = "peer"
    slow_to_open = False

    def unavailable(self, work: Work) -> str | None:
        """Without the package or the GPU, and in precisions that it does not compute in."""
        missing = not_installed("onnxruntime", "onnx")
        if missing:
            return missing
        if work.precision != "fp32":
            return f"onnxruntime has no {work.precision} convolutions for this graph"
        import onnxruntime as ort

        if work.device == "cuda" and "CUDAExecutionProvider" not in ort.get_available_providers():
            return "onnxruntime has no CUDA provider; pip install onnxruntime-gpu"
        return None

    def batch_sizes(self, work: Work) -> tuple[int, ...]:
        """From small to all at once."""
        return dividing(work.n, (16, 64, 256))

    def open(self, work: Work, batch_size: int) -> Entry:
        """A session, and a binding for each batch."""
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.intra_op_num_threads = work.threads
        options.log_severity_level = 3
        provider = "CPUExecutionProvider" if work.device == "cpu" else "CUDAExecutionProvider"
        session = ort.InferenceSession(work.graph, options, providers=[provider])
        inputs = [np.ascontiguousarray(array) for array in work.inputs]
        out = work.empty_result()
        # Bindings know addresses alone: their arrays stay with them.
        bindings = []
        for part in work.parts(batch_size):
            binding, given = session.io_binding(), [array[part] for array in inputs]
            for node, array in zip(session.get_inputs(), given, strict=True):
                binding.bind_cpu_input(node.name, array)
            piece = out[part]
            binding.bind_output(
                session.get_outputs()[0].name,
                "cpu",
                element_type=piece.dtype,
                shape=piece.shape,
                buffer_ptr=piece.ctypes.data,
            )
            bindings.append((binding, given))

        def run() -> Array:
            for binding, _ in bindings:
                session.run_with_iobinding(binding)
            return out

        settings = f"all graph optimisations, I/O binding, {work.threads} intra-op threads"
        return Entry(settings, run)
