"""The matrix product that stands for the machine: timed in every round, in the case's precision."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.cases import Device
from benchmarks.contestants.torch_common import dtype_of
from benchmarks.results import Precision

SIZE = 2048
FLOP = 2.0 * SIZE**3
NAME = "matmul"


def matmul(precision: Precision, threads: int, device: Device) -> Callable[[], object]:
    """A square product by PyTorch, whose kernels are oneDNN's, MKL's or cuBLAS's."""
    import torch

    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    a, b = (
        torch.randn(SIZE, SIZE, generator=generator).to(device, dtype_of(precision))
        for _ in range(2)
    )
    out = torch.empty_like(a)

    def run() -> None:
        torch.mm(a, b, out=out)
        if device == "cuda":
            torch.cuda.synchronize()

    run()
    return run
