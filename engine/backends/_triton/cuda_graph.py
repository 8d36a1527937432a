"""A network's launches as one CUDA graph: replayed, they cost one launch.

A graph freezes shapes and addresses, which are static here. Captures of one pool are never
replayed at the same time, and what they made is copied out before the next replay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from engine.backends._triton.network import Network

# Compiles every kernel, and lets torch and cuBLAS allocate what they keep.
_WARM_UPS = 3


class CudaGraphs:
    """Captures networks on one side stream into one memory pool."""

    def __init__(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def capture(self, network: Network) -> torch.cuda.CUDAGraph:
        """Warm up, then record. Raises RuntimeError for what cannot be captured."""
        current = torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            for _ in range(_WARM_UPS):
                network.launch()
        current.wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream):
            network.launch()
        return graph
